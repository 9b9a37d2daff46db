/** The key of a client: 16 bytes in base64 (RFC 6455, 4.1). */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/;

/** Whether a GET that asks for an upgrade to WebSocket is what RFC 6455, 4.2.1, has it; other versions are for nobody. */
export function asksForSocket(header: (name: string) => string): boolean {
  return header('sec-websocket-version') === '13' && keyPattern.test(header('sec-websocket-key'));
}
