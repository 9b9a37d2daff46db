import type { Log, LogSubject } from '../base/log.js';
import type { FailureReason } from '../telemetry/statistics.js';
import { requestTag } from './check-request.js';

/** The line of a request that was refused or failed (docs/logging.md). @param reason REFUSED = no model had it */
export function noteFailure(log: Log, about: LogSubject, reason: FailureReason | 'REFUSED', message: string): void {
  const tag = requestTag(about.requestId);
  const text = message.startsWith(tag) ? message.slice(tag.length) : message;
  const model = about.model === '' ? '' : `model '${about.model}', `;
  log.verbose(1, `${tag}${model}${reason}: ${text}`, about);
}
