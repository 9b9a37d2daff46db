/**
 * Whether a page of this origin may connect. Browsers name the origin of a page, and only they do: '' is everybody else. A page of the
 * host that is asked is at home.
 * @param allowed `--ws-allow-origin`; `*` = every origin
 */
export function isAllowedOrigin(origin: string, host: string, allowed: readonly string[]): boolean {
  if (origin === '' || allowed.includes('*')) return true;
  const given = origin.toLowerCase();
  return hostOf(given) === host.toLowerCase() || allowed.some((one) => one.toLowerCase() === given);
}

/** The host and port of `http://host:port`; null = it is no such origin, as `null` of pages from files is none. */
function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/.exec(origin)?.[1] ?? null;
}
