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
