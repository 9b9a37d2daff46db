/** Where the `data` of one input lies in the body that matched last. */
export interface DataRange {
  start: number;
  end: number;
}
