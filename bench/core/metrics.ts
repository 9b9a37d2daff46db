export interface BatchPlacements {
  readonly contiguous: number;
  readonly gathered: number;
}

/** Adds `conch_batches_total` up over all models and versions of a metrics page. */
export function batchPlacements(page: string): BatchPlacements {
  const totals = { contiguous: 0, gathered: 0 };
  for (const [, placement, value] of page.matchAll(
    /^conch_batches_total\{.*?placement="(contiguous|gathered)".*?\} (\S+)/gm,
  )) {
    totals[placement as keyof BatchPlacements] += Number(value);
  }
  return totals;
}

/** Requests that failed, all models together; not those whose client went away, as a load generator does when its time is up. */
export function failedRequests(page: string): number {
  let total = 0;
  for (const [, value] of page.matchAll(
    /^nv_inference_request_failure\{.*?reason="(?:REJECTED|BACKEND|OTHER)".*?\} (\S+)/gm,
  )) {
    total += Number(value);
  }
  return total;
}
