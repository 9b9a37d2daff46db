import koffi, { type LibraryHandle } from 'koffi';
import { ServerError } from '../src/types/errors.js';

/** An address in this process. Below 2^47 on every platform, so a double holds it. */
export type Address = number;

/** What ONNX Runtime gives out and wants back: `Env`, `Session`, `Value`, ... Opaque. */
export type Handle = unknown;

/** Memory that a function reads or fills while it is called, or the address of some. */
export type Memory = Uint8Array | BigUint64Array;

/** A variable that a function fills with a handle. */
type Out = [Handle];

/**
 * The version of the C interface that is asked for. Its functions stand in one table that only ever grows at its end (`OrtApi` in
 * onnxruntime_c_api.h), so every library from this version on has them at these places.
 */
const API_VERSION = 20;

/** `ORTCHAR_T`. */
const pathType = process.platform === 'win32' ? 'const char16_t *' : 'const char *';

/**
 * Place in the table, then the C declaration. All that give `status` fail with a text where it is not NULL. Handles that only pass
 * through are pointers; tensors are numbers, because they lie in arrays that `Run` reads.
 */
const functions = {
  GetErrorCode: [1, 'int GetErrorCode(void *status)'],
  GetErrorMessage: [2, 'const char *GetErrorMessage(void *status)'],
  CreateEnv: [3, 'void *CreateEnv(int level, const char *id, _Out_ void **env)'],
  CreateSession: [7, `void *CreateSession(void *env, ${pathType}path, void *options, _Out_ void **session)`],
  CreateSessionFromArray: [
    8,
    'void *CreateSessionFromArray(void *env, void *model, size_t length, void *options, _Out_ void **session)',
  ],
  Run: [
    9,
    'void *Run(void *session, void *options, void *inputNames, void *inputs, size_t inputCount, void *outputNames, size_t outputCount, void *outputs)',
  ],
  CreateSessionOptions: [10, 'void *CreateSessionOptions(_Out_ void **options)'],
  SetSessionExecutionMode: [13, 'void *SetSessionExecutionMode(void *options, int mode)'],
  EnableMemPattern: [16, 'void *EnableMemPattern(void *options)'],
  DisableMemPattern: [17, 'void *DisableMemPattern(void *options)'],
  EnableCpuMemArena: [18, 'void *EnableCpuMemArena(void *options)'],
  DisableCpuMemArena: [19, 'void *DisableCpuMemArena(void *options)'],
  SetSessionLogSeverityLevel: [22, 'void *SetSessionLogSeverityLevel(void *options, int level)'],
  SetSessionGraphOptimizationLevel: [23, 'void *SetSessionGraphOptimizationLevel(void *options, int level)'],
  SetIntraOpNumThreads: [24, 'void *SetIntraOpNumThreads(void *options, int threads)'],
  SetInterOpNumThreads: [25, 'void *SetInterOpNumThreads(void *options, int threads)'],
  CreateTensorAsOrtValue: [
    48,
    'void *CreateTensorAsOrtValue(void *allocator, void *shape, size_t rank, int type, void *value)',
  ],
  CreateTensorWithDataAsOrtValue: [
    49,
    'void *CreateTensorWithDataAsOrtValue(void *info, uint64_t data, size_t length, void *shape, size_t rank, int type, void *value)',
  ],
  GetTensorMutableData: [51, 'void *GetTensorMutableData(uint64_t value, void *address)'],
  GetStringTensorDataLength: [53, 'void *GetStringTensorDataLength(uint64_t value, void *length)'],
  GetStringTensorContent: [
    54,
    'void *GetStringTensorContent(uint64_t value, void *bytes, size_t length, void *offsets, size_t count)',
  ],
  GetDimensionsCount: [61, 'void *GetDimensionsCount(void *info, void *rank)'],
  GetDimensions: [62, 'void *GetDimensions(void *info, void *shape, size_t rank)'],
  GetTensorTypeAndShape: [65, 'void *GetTensorTypeAndShape(uint64_t value, _Out_ void **info)'],
  CreateCpuMemoryInfo: [69, 'void *CreateCpuMemoryInfo(int allocator, int type, _Out_ void **info)'],
  GetAllocatorWithDefaultOptions: [78, 'void *GetAllocatorWithDefaultOptions(_Out_ void **allocator)'],
  ReleaseStatus: [93, 'void ReleaseStatus(void *status)'],
  ReleaseSession: [95, 'void ReleaseSession(void *session)'],
  ReleaseValue: [96, 'void ReleaseValue(uint64_t value)'],
  ReleaseTensorTypeAndShapeInfo: [99, 'void ReleaseTensorTypeAndShapeInfo(void *info)'],
  ReleaseSessionOptions: [100, 'void ReleaseSessionOptions(void *options)'],
  AddSessionConfigEntry: [130, 'void *AddSessionConfigEntry(void *options, const char *key, const char *value)'],
  AppendTensorRT: [170, 'void *AppendTensorRT(void *options, void *provider)'],
  CreateTensorRTOptions: [171, 'void *CreateTensorRTOptions(_Out_ void **provider)'],
  UpdateTensorRTOptions: [
    172,
    'void *UpdateTensorRTOptions(void *provider, const char **keys, const char **values, size_t count)',
  ],
  ReleaseTensorRTOptions: [174, 'void ReleaseTensorRTOptions(void *provider)'],
  AppendCUDA: [204, 'void *AppendCUDA(void *options, void *provider)'],
  CreateCUDAOptions: [205, 'void *CreateCUDAOptions(_Out_ void **provider)'],
  UpdateCUDAOptions: [
    206,
    'void *UpdateCUDAOptions(void *provider, const char **keys, const char **values, size_t count)',
  ],
  ReleaseCUDAOptions: [208, 'void ReleaseCUDAOptions(void *provider)'],
  GetResizedStringTensorElementBuffer: [
    252,
    'void *GetResizedStringTensorElementBuffer(uint64_t value, size_t index, size_t length, void *address)',
  ],
} as const satisfies Record<string, readonly [place: number, declaration: string]>;

type Name = keyof typeof functions;
type Call = (...values: unknown[]) => unknown;

/** koffi takes a name once per thread. */
const prototypes = new Map(
  Object.entries(functions).map(([name, [, declaration]]) => [name, koffi.proto(declaration)]),
);
const getApiPrototype = koffi.proto('void *GetApi(uint32_t version)');

/** By path. koffi unloads a library whose object is collected, and knows nothing of functions that were found in its memory. */
const libraries = new Map<string, { readonly handle: LibraryHandle; readonly library: OrtLibrary }>();

/** Of the table as far as it is used. */
const TABLE_LENGTH = 1 + Math.max(...Object.values(functions).map(([place]) => place));

/**
 * The C interface of ONNX Runtime, called through koffi: the library is the one that comes with onnxruntime-node, whose own binding
 * copies every output once more and takes no shared memory on Node 20 (docs/decisions.md has the measurements).
 */
export class OrtLibrary {
  /** Opened once for each thread. Throws INTERNAL where it cannot be loaded. */
  static at(path: string): OrtLibrary {
    const known = libraries.get(path);
    if (known !== undefined) return known.library;
    const handle = loadLibrary(path);
    const library = new OrtLibrary(readTable(handle, path));
    libraries.set(path, { handle, library });
    return library;
  }

  readonly #calls: Readonly<Record<Name, Call>>;
  readonly #move: Call;
  readonly #locate: Call;

  private constructor(table: readonly unknown[]) {
    const entries = Object.entries(functions).map(([name, [place]]) => [
      name,
      koffi.decode(table[place], prototypes.get(name)!) as Call,
    ]);
    this.#calls = Object.fromEntries(entries) as Record<Name, Call>;
    const libc = koffi.load(process.platform === 'win32' ? 'msvcrt.dll' : null);
    this.#move = libc.func('void *memmove(uint64_t to, uint64_t from, size_t length)') as Call;
    this.#locate = libc.func('void *memmove(void *to, void *from, size_t length)') as Call;
  }

  /** A function that answers no status. */
  get(name: Name): Call {
    return this.#calls[name];
  }

  /** Calls a function that answers a status; throws INTERNAL with ONNX Runtime's code and text, as Triton words it. */
  do(name: Name, ...values: unknown[]): void {
    const status = this.#calls[name](...values);
    if (status !== null) this.fail(status);
  }

  /** Calls a function that answers a status and fills its last parameter with a handle. */
  make(name: Name, ...values: unknown[]): Handle {
    const out: Out = [null];
    this.do(name, ...values, out);
    return out[0];
  }

  /** Throws what a status that is not NULL says. */
  fail(status: unknown): never {
    const code = this.#calls.GetErrorCode(status) as number;
    const text = this.#calls.GetErrorMessage(status) as string;
    this.#calls.ReleaseStatus(status);
    throw new ServerError('INTERNAL', `onnx runtime error ${code}: ${text}`);
  }

  copy(to: Address, from: Address, length: number): void {
    if (length > 0) this.#move(to, from, length);
  }

  /** Where memory lies; it must not be empty, and must be kept as long as the address is used. */
  addressOf(memory: Memory): Address {
    return Number(koffi.address(this.#locate(memory, memory, 0)));
  }
}

function loadLibrary(path: string): LibraryHandle {
  try {
    return koffi.load(path);
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

function readTable(library: LibraryHandle, path: string): readonly unknown[] {
  try {
    const base = koffi.decode(library.func('void *OrtGetApiBase()')(), koffi.array('void *', 1)) as unknown[];
    const getApi = koffi.decode(base[0], getApiPrototype) as Call;
    const api = getApi(API_VERSION);
    if (api === null) throw new Error(`it has no interface of version ${API_VERSION}`);
    return koffi.decode(api, koffi.array('void *', TABLE_LENGTH)) as unknown[];
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

function unusable(path: string, why: string): ServerError {
  return new ServerError('INTERNAL', `ONNX Runtime cannot be loaded from ${path}: ${why}`);
}
