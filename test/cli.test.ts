import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CommandLine, packageVersion, parseCommandLine } from '../src/cli.js';
import { spellOut } from '../src/config/flag-names.js';
import { flags } from '../src/config/option-table.js';
import type { Options } from '../src/config/options.js';

function serve(...argv: string[]): Extract<CommandLine, { kind: 'serve' }> {
  const result = parseCommandLine(argv);
  if (result.kind !== 'serve') throw new Error(JSON.stringify(result));
  return result;
}

function options(...argv: string[]): Options {
  return serve('models', ...argv).options;
}

/** What stands last on standard error, behind the hint. */
function error(...argv: string[]): string {
  const result = parseCommandLine(argv);
  expect(result).toMatchObject({ kind: 'print', stream: 'stderr', exitCode: 1 });
  const text = result.kind === 'print' ? result.text : '';
  expect(text).toMatch(/^Usage: conch/);
  return text.slice(text.indexOf('\n\n') + 2).trimEnd();
}

describe('model repositories', () => {
  test('are words, flags, or both, in any order, once each', () => {
    expect(
      serve('serve', 'a', '--model-repository', 'b', 'c', '--model-store=d', '--model-repository=b').options,
    ).toMatchObject({
      modelRepositories: ['b', 'd', 'a', 'c'],
    });
  });

  test('the command may be left out, and may stand behind flags', () => {
    expect(serve('a').options.modelRepositories).toEqual(['a']);
    expect(serve('--http-port', '1', 'serve', 'a').options.modelRepositories).toEqual(['a']);
  });

  test('behind -- nothing is a flag', () => {
    expect(serve('serve', '--', '--id').options.modelRepositories).toEqual(['--id']);
  });

  test('at least one is needed', () => {
    expect(error()).toContain('--model-repository must be specified');
    expect(error('serve', '--http-port=1')).toContain('--model-repository must be specified');
    expect(error('--model-repository=')).toBe('Bad option: "--model-repository".\nthe name of the folder is empty');
  });
});

describe('names', () => {
  test('the beginning of one name is enough', () => {
    expect(options('--http-p', '9000').httpPort).toBe(9000);
    expect(options('--http-p=9000').httpPort).toBe(9000);
    expect(options('--disable').disableAutoCompleteConfig).toBe(true);
    expect(options('--model-s', 'more').modelRepositories).toEqual(['more', 'models']);
  });

  test('a whole name wins over longer ones that begin so', () => {
    expect(options('--grpc-use-ssl=false', '--grpc-use-ssl-mutual=false').grpcUseSsl).toBe(false);
  });

  test('the beginning of several is refused with all of them', () => {
    expect(error('--log-f=x')).toBe("flag '--log-f' is ambiguous: --log-format, --log-file");
    expect(error('--=x')).toMatch(/^unknown flag '--'/);
  });

  test.each([
    ['--htp-port', '--http-port'],
    ['--http_port', '--http-port'],
    ['--model-repo-sitory', '--model-repository'],
    ['--stric-model-config', '--strict-model-config'],
  ])('%s is unknown, and %s is the nearest', (given, nearest) => {
    expect(error('m', `${given}=1`)).toBe(`unknown flag '${given}', did you mean '${nearest}'?`);
  });

  test('a short flag is unknown', () => {
    expect(error('m', '-x')).toBe("error: unknown option '-x'");
  });

  test('a flag that needs a value takes the next word, whatever it is', () => {
    expect(options('--id', '--http-port').id).toBe('--http-port');
    expect(error('m', '--id')).toBe('Bad option: "--id".\nit needs a value: --id=NAME');
    expect(options('--id=').id).toBe('');
    expect(options('--id=a=b').id).toBe('a=b');
  });

  test('a bare flag takes no value', () => {
    expect(options('--disable-auto-complete-config').disableAutoCompleteConfig).toBe(true);
    expect(serve('--disable-auto-complete-config', 'true').options.modelRepositories).toEqual(['true']);
    expect(error('m', '--disable-auto-complete-config=true')).toContain("it takes no value, got 'true'");
  });

  test('a line of words and flags in any form comes out as words and full flags, in order', () => {
    const entry = fc.oneof(
      fc.constantFrom('dir', '-', '').map((word) => ({ argv: [word], word, flag: null })),
      fc.constantFrom('-x', '-h').map((flag) => ({ argv: [flag], word: null, flag })),
      fc.constantFrom('--disable-auto-complete-config', '--disable').map((name) => ({
        argv: [name],
        word: null,
        flag: '--disable-auto-complete-config',
      })),
      fc
        .record({ name: fc.constantFrom('--http-port', '--http-p'), value: fc.string(), joined: fc.boolean() })
        .map(({ name, value, joined }) => ({
          argv: joined ? [`${name}=${value}`] : [name, value],
          word: null,
          flag: `--http-port=${value}`,
        })),
    );
    fc.assert(
      fc.property(fc.array(entry), fc.array(fc.string()), (entries, rest) => {
        expect(spellOut([...entries.flatMap(({ argv }) => argv), '--', ...rest], flags)).toEqual({
          words: entries.map(({ word }) => word).filter((word) => word !== null),
          flags: entries.map(({ flag }) => flag).filter((flag) => flag !== null),
          rest,
        });
      }),
    );
  });
});

describe('values', () => {
  test.each(['true', 'TRUE', 'on', 'On', '1'])('%s is true', (text) => {
    expect(options(`--reuse-http-port=${text}`).reuseHttpPort).toBe(true);
  });

  test.each(['false', 'False', 'off', 'OFF', '0'])('%s is false', (text) => {
    expect(options('--allow-http', text).allowHttp).toBe(false);
  });

  test.each(['yes', '', '2', 'truee', '__proto__'])("'%s' is no boolean", (text) => {
    expect(error('m', `--exit-on-error=${text}`)).toBe(
      `Bad option: "--exit-on-error".\ninvalid value for bool option: ${text}`.trimEnd(),
    );
  });

  test.each(['-1', '65536', '80a', '', '1.5', '0x50', '1e3', ' 80'])("'%s' is no port", (text) => {
    expect(error('m', `--http-port=${text}`)).toBe(
      `Bad option: "--http-port".\nexpected a whole number from 0 to 65535, got '${text}'`,
    );
  });

  test('numbers have bounds, with their unit', () => {
    expect(error('m', '--tensor-memory-byte-size=4294967296')).toContain('to 4294967295 (bytes)');
    expect(error('m', '--http-max-input-size=0')).toContain('from 1 to');
    expect(error('m', '--exit-timeout-secs=2147484')).toContain('from 0 to 2147483 (s)');
    expect(error('m', '--grpc-infer-thread-count=129')).toContain('from 2 to 128');
    expect(options('--tensor-memory-byte-size=4294967295').tensorMemoryByteSize).toBe(4294967295);
    expect(serve('m', '--min-supported-compute-capability=7.5').notes).toHaveLength(1);
  });

  test('a choice is read in any case', () => {
    expect(options('--log-format=iso8601').logFormat).toBe('ISO8601');
    expect(options('--http-engine', 'NET').httpEngine).toBe('net');
    expect(error('m', '--http-engine=node')).toBe(
      'Bad option: "--http-engine".\ninvalid argument for --http-engine: expected one of auto, uws, net, got \'node\'',
    );
  });

  test.each([
    ['true', 1],
    ['FALSE', 0],
    ['0', 0],
    ['3', 3],
  ])('the verbose level %s is %i', (text, level) => {
    expect(options('--log-verbose', text).logVerbose).toBe(level);
  });

  test('the last of several counts, and each is checked', () => {
    expect(options('--http-port=1', '--http-port=2').httpPort).toBe(2);
    expect(error('m', '--http-port=x', '--http-port=2')).toContain("got 'x'");
  });

  test('case counts in a pattern of headers behind (?-i) alone, and never without', () => {
    const pattern = (text: string) => options(`--grpc-header-forward-pattern=${text}`).grpcHeaderForwardPattern!;
    expect([pattern('MY_.*'), pattern('(?i)MY_.*')].map((it) => it.test('my_key'))).toEqual([true, true]);
    expect(pattern('(?-i)MY_.*').test('my_key')).toBe(false);
    expect(pattern('(?-i)my_.*').test('my_key')).toBe(true);
  });

  test('the name of a configuration is not empty', () => {
    expect(options('--model-config-name=h100').modelConfigName).toBe('h100');
    expect(error('models', '--model-config-name=')).toContain('found an empty one');
    expect(error('models', '--model-config-name', '')).toContain('--model-config-name');
  });

  test('an address of IPv6 loses its brackets', () => {
    expect(options('--http-address=ipv6:[::1]').httpAddress).toBe('::1');
    expect(options('--http-address=[::]', '--metrics-port=1').httpAddress).toBe('::');
    expect(error('m', '--http-address=')).toContain('the address is empty');
  });

  test('completion is off by the old flag or the new one', () => {
    expect(options().disableAutoCompleteConfig).toBe(false);
    expect(options('--strict-model-config=true').disableAutoCompleteConfig).toBe(true);
    expect(options('--strict-model-config=false').disableAutoCompleteConfig).toBe(false);
    expect(options('--strict-model-config=false', '--disable-auto-complete-config').disableAutoCompleteConfig).toBe(
      true,
    );
  });
});

describe('settings of backends', () => {
  test('belong to one backend or to all; the last of a key counts', () => {
    const { backendConfig } = options(
      '--backend-config=default-max-batch-size=8',
      '--backend-config=onnxruntime,a=1',
      '--backend-config',
      'onnxruntime,a=2,b=3',
    );
    expect(backendConfig).toEqual(
      new Map([
        ['', new Map([['default-max-batch-size', '8']])],
        ['onnxruntime', new Map([['a', '2,b=3']])],
      ]),
    );
  });

  test.each(['x', 'a,b', 'a=', '=1', 'a,=1', ',a=1'])("'%s' is refused", (text) => {
    expect(error('m', `--backend-config=${text}`)).toBe(
      `Bad option: "--backend-config".\nexpected [BACKEND,]KEY=VALUE, got '${text}'`,
    );
  });
});

describe('settings of metrics', () => {
  test('turn the latency counters off; the last of a key counts', () => {
    const usual = { counterLatencies: true, histogramLatencies: false, summaryQuantiles: null };
    expect(options().metricsConfig).toEqual(usual);
    const off = '--metrics-config=counter_latencies=false';
    expect(options(off).metricsConfig).toEqual({ ...usual, counterLatencies: false });
    expect(options(off, '--metrics-config=counter_latencies=true').metricsConfig).toEqual(usual);
  });

  test('turn the first-response histogram and the summaries on', () => {
    const summaries = '--metrics-config=summary_latencies=true';
    expect(options(summaries).metricsConfig.summaryQuantiles).toEqual([0.5, 0.9, 0.95, 0.99, 0.999]);
    const quantiles = '--metrics-config=summary_quantiles="0.9:0.01,0.5:0.05,0.9:0.02"';
    expect(options(summaries, quantiles).metricsConfig.summaryQuantiles).toEqual([0.5, 0.9]);
    expect(options(quantiles).metricsConfig.summaryQuantiles).toBeNull();
    expect(options('--metrics-config=histogram_latencies=true').metricsConfig.histogramLatencies).toBe(true);
  });

  test.each(['x=1', 'counter_latencies', 'counter_latencies=maybe', 'summary_quantiles=1', 'summary_quantiles=2:0'])(
    "'%s' is refused",
    (text) => {
      expect(error('m', `--metrics-config=${text}`)).toContain(`got '${text}'`);
    },
  );

  test('their address is that of HTTP unless given', () => {
    expect(options('--http-address=0.0.0.0').metricsAddress).toBe('0.0.0.0');
    expect(options('--http-address=0.0.0.0', '--metrics-address=127.0.0.1').metricsAddress).toBe('127.0.0.1');
  });
});

describe('encryption of gRPC', () => {
  test('needs a certificate and a key, also with certificates of clients', () => {
    expect(error('m', '--grpc-use-ssl=true')).toBe(
      'Bad option: "--grpc-use-ssl".\nit needs --grpc-server-cert and --grpc-server-key',
    );
    expect(error('m', '--grpc-use-ssl-mutual=true', '--grpc-server-cert=c')).toContain('--grpc-use-ssl-mutual');
    const both = ['--grpc-server-cert=c', '--grpc-server-key=k'];
    expect(options('--grpc-use-ssl-mutual=true', ...both)).toMatchObject({ grpcUseSsl: true, grpcUseSslMutual: true });
    expect(options(...both)).toMatchObject({ grpcUseSsl: false, grpcServerCert: 'c', grpcServerKey: 'k' });
  });
});

describe('ports', () => {
  test('HTTP and metrics need two', () => {
    expect(error('m', '--http-port=8002')).toMatch(
      /^The server cannot listen to HTTP requests and metrics requests at the same port 8002/,
    );
    expect(error('m', '--metrics-port=8000', '--metrics-address=0.0.0.0')).toContain('at the same port 8000');
  });

  test('gRPC needs one of its own', () => {
    expect(error('m', '--grpc-port=8000')).toMatch(/^The server cannot listen to HTTP requests and GRPC requests/);
    expect(error('m', '--grpc-port=8002')).toContain('GRPC requests and metrics requests at the same port 8002');
    expect(options('--grpc-port=8000', '--allow-grpc=false').grpcPort).toBe(8000);
    expect(options('--grpc-port=8000', '--grpc-address=127.0.0.2').grpcPort).toBe(8000);
  });

  test('one is enough at two addresses, when one is not served, or when any will do', () => {
    expect(options('--http-port=8002', '--metrics-address=127.0.0.2').httpPort).toBe(8002);
    expect(options('--http-port=8002', '--allow-metrics=false').httpPort).toBe(8002);
    expect(options('--http-port=0', '--metrics-port=0').metricsPort).toBe(0);
  });
});

describe('model control', () => {
  const mode = (...argv: string[]) => options(...argv).modelControlMode;

  test('is none, poll or explicit', () => {
    expect(mode()).toBe('none');
    for (const name of ['none', 'poll', 'explicit']) expect(mode(`--model-control-mode=${name}`)).toBe(name);
    expect(error('m', '--model-control-mode=all')).toContain('--model-control-mode');
  });

  test('has the two flags of older servers, where they are given', () => {
    expect(mode('--allow-poll-model-repository=true')).toBe('poll');
    expect(mode('--allow-poll-model-repository=false')).toBe('none');
    expect(mode('--allow-model-control=true')).toBe('explicit');
    expect(mode('--allow-model-control=false')).toBe('none');
    expect(mode('--allow-poll-model-repository=false', '--allow-model-control=true')).toBe('explicit');
    expect(mode('--allow-poll-model-repository=true', '--allow-model-control=false')).toBe('poll');
    expect(error('m', '--allow-poll-model-repository=true', '--allow-model-control=true')).toBe(
      'Bad option: "--allow-model-control".\ntrue needs --allow-poll-model-repository=false',
    );
  });

  test.each(['allow-poll-model-repository', 'allow-model-control'])('is not asked for twice, with --%s', (name) => {
    for (const value of ['true', 'false']) {
      expect(error('m', '--model-control-mode=none', `--${name}=${value}`)).toBe(
        `Bad option: "--${name}".\ngive --model-control-mode or --${name}, not both`,
      );
    }
  });

  test('says which of its flags have other names now', () => {
    expect(serve('m', '--allow-model-control=true').notes).toEqual([
      '--allow-model-control is deprecated: use --model-control-mode',
    ]);
    expect(serve('m', '--allow-poll-model-repository=true').notes).toEqual([
      '--allow-poll-model-repository is deprecated: use --model-control-mode',
    ]);
  });

  test('loads at the start what is asked for, in mode explicit only', () => {
    expect(options('--model-control-mode=explicit').loadModels).toEqual([]);
    expect(options('--model-control-mode=explicit', '--load-model=a', '--load-model=b').loadModels).toEqual(['a', 'b']);
    expect(options('--allow-model-control=true', '--load-model=*').loadModels).toEqual(['*']);
    for (const argv of [[], ['--model-control-mode=poll'], ['--allow-poll-model-repository=true']]) {
      expect(error('m', '--load-model=a', ...argv)).toBe(
        "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.",
      );
    }
    expect(error('m', '--model-control-mode=explicit', '--load-model=*', '--load-model=a')).toBe(
      "Wildcard model name '*' must be the ONLY startup model if specified at all.",
    );
  });

  test('has its times and bounds', () => {
    expect(options()).toMatchObject({ repositoryPollSecs: 15, modelLoadThreadCount: 4, modelLoadRetryCount: 0 });
    expect(options('--repository-poll-secs=0').repositoryPollSecs).toBe(0);
    expect(options('--model-namespacing=true').modelNamespacing).toBe(true);
    for (const flag of ['--repository-poll-secs=-1', '--model-load-thread-count=0', '--model-load-retry-count=-1'])
      expect(error('m', flag)).toContain(flag.slice(0, flag.indexOf('=')));
  });
});

describe('notes', () => {
  test('name each flag without effect once, with the reason', () => {
    expect(serve('m', '--http-thread-count=8', '--http-thread-count=9', '--vertex-ai-port=8').notes).toEqual([
      '--http-thread-count has no effect: networking is done by one thread',
      '--vertex-ai-port has no effect yet: there is no Vertex AI endpoint',
    ]);
  });

  test('name deprecated flags', () => {
    expect(serve('m', '--strict-model-config=true').notes).toEqual([
      '--strict-model-config is deprecated: use --disable-auto-complete-config',
    ]);
    expect(serve('m', '--http-port=1').notes).toEqual([]);
  });
});

describe('other commands', () => {
  test('are first words; a folder of such a name is served by the whole command', () => {
    expect(parseCommandLine(['check', 'a', 'b', '--fix', '--cores=3'])).toEqual({
      kind: 'check',
      options: {
        folders: ['a', 'b'],
        fix: true,
        json: false,
        strict: false,
        configName: '',
        autoComplete: true,
        defaultMaxBatchSize: null,
        cores: 3,
        gpus: null,
      },
    });
    expect(serve('serve', 'check').options.modelRepositories).toEqual(['check']);
    expect(serve('--id=x', 'check').options.modelRepositories).toEqual(['check']);
  });

  test('config and init', () => {
    expect(parseCommandLine(['config', 'http://h:1', 'm', '--version', '2', '--json'])).toMatchObject({
      kind: 'config',
      options: { from: 'http://h:1', name: 'm', version: 2, json: true },
    });
    expect(parseCommandLine(['init', 'd', '--model=f', '--max-batch-size=16'])).toEqual({
      kind: 'init',
      options: { directory: 'd', model: 'f', maxBatchSize: 16 },
    });
  });

  test('take the flags of the server that say how a model is understood', () => {
    const flags = ['--model-config-name=c', '--disable-auto-complete-config'];
    const sizes = [
      '--backend-config=default-max-batch-size=2',
      '--backend-config',
      'onnxruntime,default-max-batch-size=6',
    ];
    expect(parseCommandLine(['check', 'a', ...flags, ...sizes])).toMatchObject({
      options: { configName: 'c', autoComplete: false, defaultMaxBatchSize: 6 },
    });
  });

  test.each(['check', 'config', 'init'])('%s has help of its own, and the help of serve names it', (name) => {
    const help = parseCommandLine([name, '--help']);
    expect(help).toMatchObject({ kind: 'print', stream: 'stdout', exitCode: 0 });
    expect(help.kind === 'print' && help.text).toContain(`Usage: conch ${name}`);
    const all = parseCommandLine(['--help']);
    expect(all.kind === 'print' && all.text).toContain(`conch ${name} `);
  });

  test.each([
    [['check'], "missing required argument 'dir'"],
    [['init', 'd'], "expected one of the options '--model <file>' and '--javascript'"],
    [['check', 'a', '--backend-config=x'], 'expected [BACKEND,]KEY=VALUE'],
    [['check', 'a', '--backend-config=default-max-batch-size=x'], "expected a whole number, found 'x'"],
    [['config', 'a', 'b', 'c'], 'too many arguments'],
  ])('%j is refused with 2', (argv, expected) => {
    const result = parseCommandLine(argv);
    expect(result).toMatchObject({ kind: 'print', stream: 'stderr', exitCode: 2 });
    expect(result.kind === 'print' && result.text).toContain(expected);
  });
});

describe('printing', () => {
  test('--help lists every flag under its group, on standard output', () => {
    const result = parseCommandLine(['--help']);
    expect(result).toMatchObject({ kind: 'print', stream: 'stdout', exitCode: 0 });
    const lines = result.kind === 'print' ? result.text.split('\n') : [];
    for (const flag of flags) {
      const group = lines.indexOf(`${flag.group}:`);
      const line = lines.findIndex((text) => text.trim().split(' ')[0] === `--${flag.name}`);
      expect(line, flag.name).toBeGreaterThan(group);
      expect(group).toBeGreaterThan(0);
    }
    expect(Math.max(...lines.map((text) => text.length))).toBeLessThanOrEqual(100);
  });

  test('help is the same behind a command, by a prefix, and as a word', () => {
    const help = parseCommandLine(['--help']);
    expect(parseCommandLine(['serve', '--he'])).toEqual(help);
    expect(parseCommandLine(['help'])).toEqual(help);
  });

  test('--version is the one of the package', () => {
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
    const printed = { kind: 'print', text: `${packageVersion()}\n`, stream: 'stdout', exitCode: 0 };
    expect(parseCommandLine(['--version'])).toEqual(printed);
    expect(parseCommandLine(['serve', '--version', 'a'])).toEqual(printed);
  });
});
