import type { ParameterValue } from './model-api.js';

/** What a request says beside its tensors (core/head-for-model.ts). */
export interface RequestHead {
  readonly id: string;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly sequenceId: string | number | bigint;
  readonly sequenceStart: boolean;
  readonly sequenceEnd: boolean;
  /** Null = all. */
  readonly outputs: readonly string[] | null;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
}

const NOTHING: RequestHead = {
  id: '',
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0,
  sequenceStart: false,
  sequenceEnd: false,
  outputs: null,
  parameters: new Map(),
};

type Exact = { readonly bigint: string } | { readonly number: string };
type Written = string | number | boolean | Exact;

/** @param json as the server wrote it; '' = the request says nothing */
export function readHead(json: string): RequestHead {
  if (json === '') return NOTHING;
  const head = JSON.parse(json) as Partial<RequestHead> & {
    sequenceId?: string | number | Exact;
    parameters?: Readonly<Record<string, Written>>;
  };
  const parameters = Object.entries(head.parameters ?? {}).map(([name, value]) => [name, exact(value)] as const);
  return {
    ...NOTHING,
    ...head,
    sequenceId: exact(head.sequenceId ?? 0) as string | number | bigint,
    parameters: new Map(parameters),
  };
}

function exact(value: Written): ParameterValue {
  if (typeof value !== 'object') return value;
  return 'bigint' in value ? BigInt(value.bigint) : Number(value.number);
}
