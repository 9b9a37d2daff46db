import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { packageRoot } from './package-root.js';

/** A page that needs no other file: style, chart library, modules and data are inside. */
export interface ShellPage {
  readonly title: string;
  /** The module of bench/report/page/ that draws the page, without `.js`. */
  readonly entry: string;
  /** What it reads with `pageData()`; has to survive JSON. */
  readonly data: unknown;
}

/** The whole file. Modules of the page are the built ones of dist/; their imports of each other go over an import map. */
export function shellHtml({ title, entry, data }: ShellPage): string {
  const require = createRequire(import.meta.url);
  const library = (file: string) => readFileSync(require.resolve(`uplot/${file}`), 'utf8');
  const style = readFileSync(`${packageRoot}bench/report/page/page.css`, 'utf8');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${htmlText(title)}</title>
<style>
${library('dist/uPlot.min.css')}
${style}
</style>
</head>
<body>
<noscript>This page draws its charts with JavaScript, which is switched off here.</noscript>
<main id="page"></main>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>
/*
${library('LICENSE')}*/
${library('dist/uPlot.iife.min.js').replaceAll('</script', '<\\/script')}
</script>
<script type="importmap">${scriptJson({ imports: pageModules() })}</script>
<script type="module">import 'page/${entry}.js';</script>
</body>
</html>
`;
}

/** JSON that cannot end the script it stands in, nor a line of it. */
export function scriptJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = { '<': '\\u003c', '\u2028': '\\u2028', '\u2029': '\\u2029' };
  return JSON.stringify(value).replace(/[<\u2028\u2029]/g, (character) => escapes[character]!);
}

export function htmlText(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => escapes[character]!);
}

/** By the name that others import it by: its text as a data URL. Modules have no imports but of each other. */
function pageModules(): Record<string, string> {
  const folder = `${packageRoot}dist/bench/report/page/`;
  const names = readdirSync(folder).filter((name) => name.endsWith('.js'));
  return Object.fromEntries(names.map((name) => [`page/${name}`, dataUrl(readFileSync(folder + name, 'utf8'))]));
}

/** Relative imports mean nothing in a data URL: they become names of the import map. */
function dataUrl(moduleText: string): string {
  const text = moduleText
    .replace(/(from\s+|import\s+)'\.\/([\w-]+\.js)'/g, "$1'page/$2'")
    .replace(/(from\s+)"\.\/([\w-]+\.js)"/g, '$1"page/$2"')
    .replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`;
}
