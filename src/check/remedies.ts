/** What would be right, and what to do about it. `$1` is the pattern's first group. */
interface Remedy {
  readonly pattern: RegExp;
  readonly expected: string;
  readonly fix: string;
}

function remedy(pattern: RegExp, expected: string, fix: string): Remedy {
  return { pattern, expected, fix };
}

/** For every text that refuses a configuration; the first that fits. */
const remedies: readonly Remedy[] = [
  // The model and its backend
  remedy(
    /^unexpected directory name '(.*)' for model/,
    "the folder's name: '$1'",
    'write name: "$1", take the field out, or rename the folder; clients ask for the folder\'s name',
  ),
  remedy(
    /^Invalid model name: Could not determine backend/,
    'a backend, a platform, or a model file whose name tells it (model.onnx)',
    'write backend: "onnxruntime" and put the model into 1/model.onnx',
  ),
  remedy(
    /^unexpected platform type '(.*)' for/,
    'platform: "onnxruntime_onnx"',
    'correct the platform, or name a backend',
  ),
  remedy(
    /^unexpected 'platform' and 'backend' pair/,
    'the two belong together',
    'take platform out: the backend is enough',
  ),
  remedy(/^must specify 'platform' or 'backend'/, 'one of the two', 'write backend: "onnxruntime"'),
  remedy(
    /^unable to find backend/,
    'a backend that this server has',
    'serve it as an ONNX model: backend: "onnxruntime"',
  ),
  remedy(/must have platform type 'ensemble' and empty backend/, 'no backend', 'take backend out'),
  remedy(/^model configuration must specify 'name'/, 'a name', "write the folder's name"),
  remedy(
    /^'max_batch_size' must be non-negative/,
    '0 = no batching, or the rows of a batch at most',
    'write 0 or more',
  ),
  remedy(/^must specify 'version policy'/, 'a version policy', 'write version_policy { latest { num_versions: 1 } }'),
  remedy(/^version policy names version/, 'version numbers', 'name folders that are there'),
  remedy(
    /^at least one version must be available/,
    'a folder with a number, such as 1, that the policy wants',
    'put the model file into 1/',
  ),
  remedy(
    /^autofill failed .* does not support batching/,
    'max_batch_size: 0, because the first dimension of some input or output of the model file is fixed',
    'write max_batch_size: 0, or export the model with an open first dimension',
  ),
  // Batching and queues
  remedy(/preferred (batch )?size must be positive/, 'a size from 1 to max_batch_size', 'take the size out'),
  remedy(
    /preferred (batch )?size must be <= max batch size/,
    'a size from 1 to max_batch_size',
    'take the size out, or raise max_batch_size',
  ),
  remedy(
    /^default priority level must be in range (\[.*\])/,
    'default_priority_level in $1',
    'say where requests without a priority go',
  ),
  remedy(
    /^priority queue policy must have priority level in range (\[.*\])/,
    'keys in $1',
    'correct the key, or raise priority_levels',
  ),
  remedy(
    /^Only one priority level is allowed/,
    'preserve_ordering or priority_levels, not both',
    'take one of them out',
  ),
  remedy(
    /^Queue policy can not have DELAY/,
    'timeout_action: REJECT, because a delayed request leaves its order',
    'take DELAY or preserve_ordering out',
  ),
  remedy(/minimum slot utilization must be in range/, 'a share from 0 to 1', 'write a number from 0 to 1'),
  // Sequences
  remedy(/control tensor must have a name/, 'the name of an input of the model', 'write name'),
  remedy(
    /is specified for multiple control kinds/,
    'one control for each input of the model',
    'give each control an input of its own',
  ),
  remedy(/^sequence batching specifies multiple (\w+) tensors/, 'one input for $1', 'take the others out'),
  remedy(/specifies more than one from/, 'one list of the two values', 'keep the list of the type that the input has'),
  remedy(
    /must not specify either .* for CONTROL_SEQUENCE_CORRID/,
    'data_type alone',
    'take the list out: an id is neither true nor false',
  ),
  remedy(
    /must specify either .* for (\w+)/,
    'the values for false and true of $1',
    'write int32_false_true: [ 0, 1 ], in the type of the input',
  ),
  remedy(
    /^unexpected data type for control CONTROL_SEQUENCE_CORRID/,
    'TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 or TYPE_STRING',
    'write the type that the input has',
  ),
  remedy(/must have exactly 2 entries/, 'two values: for false, for true', 'write [ 0, 1 ]'),
  remedy(
    /^State (input|output) name '(.*)' specified more than once/,
    'every state with names of its own',
    'take one of them out',
  ),
  remedy(/must contain exactly one or zero element/, 'one initial_state at most', 'take the others out'),
  remedy(/^The data type used for 'initial_state'/, "the state's data_type", 'write the same data_type'),
  remedy(/^Field 'name' must be set when using initial_state/, 'a name', 'write any name'),
  remedy(
    /^Number of dimensions in 'initial_state'|^'initial_state' dim/,
    "the state's dims, with a number in place of each -1",
    'write these dims',
  ),
  remedy(/contains variable dimensions/, 'sizes of 1 or more', 'write the sizes that a sequence begins with'),
  remedy(/^initial_state setting expects state/, 'zero_data or data_file', 'write zero_data: true'),
  remedy(/^initial_state setting expects (\d+) bytes/, 'a file of $1 bytes', 'write the whole state into the file'),
  remedy(
    /^the initial state cannot be read/,
    'a file in the folder initial_state of the model',
    'put it there, or correct the name',
  ),
  remedy(
    /sets 'use_growable_memory'/,
    'use_same_buffer_for_input_output: true and KIND_GPU',
    'take use_growable_memory out',
  ),
  // Tensors
  remedy(/must specify 'name'/, 'a name', 'write the name that the model file has'),
  remedy(/must specify 'data_type'/, 'data_type', 'write the type that the model file has'),
  remedy(/must specify 'dims'/, 'dims', 'write the dimensions without that of the batch; one element is [ 1 ]'),
  remedy(/dimension must be integer >= 1/, 'sizes of 1 or more, or -1 for any size', 'correct the dimension'),
  remedy(/reshape dimensions must be integer >= 1/, 'sizes of 1 or more, or -1 for any size', 'correct the dimension'),
  remedy(/of which a full batch has more than/, 'a batch whose bytes can be counted', 'correct dims or max_batch_size'),
  remedy(
    /cannot have empty reshape for non-batching model/,
    'no reshape: one element stands for a scalar',
    'take reshape out',
  ),
  remedy(
    /has different (size|number of variable-size dimensions) for dims and reshape/,
    'as many elements, and as many -1, in both',
    'correct one of the two',
  ),
  remedy(/NHWC\/NCHW require 3 dims/, 'three dims with a format', 'take format out'),
  remedy(/only supported for (the )?TensorRT/, 'nothing: this is for TensorRT alone', 'take the field out'),
  remedy(/^model (input|output) '(.*)' is specified twice/, "one entry for '$2'", 'take the other out'),
  remedy(/expects 1 source input/, 'one source_input', 'name the one input that is counted'),
  remedy(/^batch input data type must be/, 'TYPE_INT32 or TYPE_FP32', 'write one of the two'),
  remedy(/^unknown source input name/, 'the name of an input of this configuration', 'correct the name'),
  remedy(/^unknown target output name/, 'the name of an output of this configuration', 'correct the name'),
  remedy(
    /^source input name .* is optional/,
    'a source that every request has',
    'take optional out, or name another input',
  ),
  remedy(
    /^target output name '.*' has a variable-size dimension/,
    'no -1 in dims where the source input has no dimension',
    'correct dims, or name the input that has the shape',
  ),
  remedy(/^target (?:in|out)put name '(.*)' can only be specified once/, "one entry for '$1'", 'take the other out'),
  // Instances, and the rest
  remedy(
    /has kind KIND_GPU but no GPUs are available/,
    'a GPU on this machine',
    'write kind: KIND_CPU, or check for a machine with GPUs: --gpus N',
  ),
  remedy(
    /specifies invalid or unsupported gpu id (\d+). GPUs that can be used are: (.*)$/,
    'one of $2',
    'correct gpus',
  ),
  remedy(/but specifies no GPUs/, 'numbers of GPUs', 'write gpus: [ 0 ]'),
  remedy(/but specifies one or more GPUs/, 'gpus for KIND_GPU alone', 'take gpus out, or write kind: KIND_GPU'),
  remedy(/must specify one or more 'instance group's/, 'a group of instances', 'write instance_group [ { count: 1 } ]'),
  remedy(
    /^Response Cache does not currently support/,
    'no cache here: its answers are not the same twice',
    'take response_cache out',
  ),
  remedy(
    /^metric control must specify|^metric identifier must|^histogram options must/,
    'a family, and the bounds of its buckets',
    'write metric_identifier { family: ... } and histogram_options { buckets: [ ... ] }',
  ),
  remedy(/^warmup setting expects all variable-size/, 'sizes of 1 or more', 'write the sizes that are to be tried'),
  remedy(
    /^warmup setting expects input .* input_data_type/,
    'zero_data, random_data or input_data_file',
    'write zero_data: true',
  ),
  remedy(/^warmup setting expects (\d+) bytes/, 'a file of $1 bytes', 'write the whole tensor into the file'),
  remedy(/^parameter '.*' of model '.*' must be (.*), got/, '$1', 'correct the value'),
  remedy(
    /^Invalid configuration value provided\. Expected values for {2}execution_mode/,
    '0 = sequential, or 1 = parallel',
    'correct the value',
  ),
  remedy(/^unknown Execution Accelerator/, "'cuda' or 'tensorrt', on a GPU", 'take the accelerator out'),
  // Against the model file
  remedy(
    /configuration expects (\d+) inputs, model provides (\d+)/,
    'an entry for each of the $2 inputs of the model file, and for no other',
    'add or take out what is named',
  ),
  remedy(/^unexpected inference (input|output) '.*', allowed \w+ are: (.*)$/, 'one of $2', 'correct the name'),
  remedy(/configuration expects datatype (\w+) for .*, model provides (\w+)/, '$2', 'write data_type: $2'),
  remedy(
    /the model expects data-type (\w+) but/,
    'values in the type of the input, $1',
    'use the list (or data_type) of that type',
  ),
  remedy(
    /sequence control '(.*)' in model has dims/,
    'an input of one element per request',
    'export the model with dims [1] for it, behind the batch dimension',
  ),
  remedy(
    /^configuration specified sequence control/,
    'the name of an input of the model file',
    'correct the name, or take the control out',
  ),
  remedy(/To fit the model, (\S+) should be (\[.*\])$/, '$2', 'write $1: $2'),
  remedy(
    /for the model to support batching the shape should have/,
    'max_batch_size: 0 with full shapes, or an open first dimension',
    'write max_batch_size: 0 and the full shape into dims, or export the model with an open first dimension',
  ),
  remedy(
    /^unable to load model '.*', optional input/,
    'optional: false, or max_batch_size: 0',
    'take optional out, or write max_batch_size: 0',
  ),
  remedy(
    /provides input with shape (.*) for batch input/,
    'an input of shape $1 in the model file',
    'name another target, or export the model with that shape',
  ),
  remedy(/ragged input.*not supported for optional/, 'optional: false', 'take optional or allow_ragged_batch out'),
  remedy(/ragged input/, 'an input of shape [-1] in the model file', 'take allow_ragged_batch out'),
  remedy(/^scalar tensor/, '[ 1 ]', 'write dims: [ 1 ]'),
  remedy(
    /^input '.*' cannot be opened/,
    'an initialiser in the file itself',
    'take the input out, or export the model without a default for it',
  ),
  // Files
  remedy(/^unable to find '(.*)' for model instance/, '$1', 'put the file there, or correct default_model_filename'),
  remedy(/Protobuf parsing failed|does not have a graph/, 'an ONNX model', 'export it again, and copy it whole'),
  remedy(
    /no datatype of the protocol can carry|^Unsupported ONNX Type/,
    'tensors of a type that requests can carry',
    'convert it inside the model',
  ),
  remedy(
    /does not say the (\w+) of I\/O/,
    'a model that says the $1 of what goes in and out',
    'run onnx.shape_inference on it and save it again',
  ),
  remedy(
    /has label_filename '(.*)', but/,
    "a file '$1' in the model's folder, one label per line",
    'put it there, or take label_filename out',
  ),
  // Ensembles and the models of their steps
  remedy(
    /^ensemble .* contains models that are not available or ambiguous: (.*)$/,
    'models of these names in the repositories, each once: $1',
    'put them there, or correct model_name of the step',
  ),
  remedy(
    /^circular dependency between ensembles/,
    'ensembles of which none needs itself',
    'take one of these steps out, or give it another model',
  ),
  remedy(
    /depends on '(.*)' whose required version (.*) is not loaded/,
    "a version of '$1' that is loaded, or -1 for the latest",
    "write model_version: -1, or have version $2 and let the version_policy of '$1' name it",
  ),
  remedy(
    /^ensemble (.*) allows maximum batch size .*, but it contains model (.*) which only allows maximum batch size to be (.*)$/,
    'at most $3',
    'write max_batch_size: $3 into $1, or allow more in $2',
  ),
  remedy(
    /^in ensemble .*, ensemble tensor (.*): inconsistent (.*): (.*) is inferred from model (.*) while (.*) is inferred from model (.*)$/,
    'one $2 of $1 in both, $4 and $6',
    'correct the one that is wrong, or put a model between them that makes one of the other',
  ),
  remedy(
    /^in ensemble .*, ensemble tensor .* is mapp(?:ing to|ed from) non-existing (.*) (.*) in model (.*)$/,
    'an $1 that $3 has',
    'correct the name in front of the tensor: it is that of the model',
  ),
  remedy(
    /^in ensemble .*, input (.*) in model (.*) is not mapped to any ensemble tensors$/,
    'a tensor for each input of $2 that is not optional',
    'add input_map { key: "$1" value: "..." }',
  ),
  remedy(
    /receives inputs originated from different decoupled models$/,
    'inputs that come from one and the same decoupled model, or from none',
    'let the steps follow one another in place of side by side',
  ),
  // The word is in every text
  remedy(
    /ensemble/,
    'a graph from the inputs of the ensemble to its outputs, in which every tensor is made and used',
    'correct the maps of the steps, or inputs and outputs',
  ),
];

/** Words that help even where nobody has thought of the text. */
export function remedyFor(message: string, field: string): { expected: string; fix: string } {
  for (const { pattern, expected, fix } of remedies) {
    const match = pattern.exec(message);
    if (match === null) continue;
    const fill = (text: string) => text.replaceAll(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? '');
    return { expected: fill(expected), fix: fill(fix) };
  }
  const subject = field === '' ? 'the configuration' : field;
  return { expected: `what docs/configuration.md says of ${subject}`, fix: `correct ${subject}` };
}

/** For tests: a text without words of its own. */
export function hasRemedy(message: string): boolean {
  return remedies.some(({ pattern }) => pattern.test(message));
}
