import type { DataType } from '../../src/types/datatype.js';
import type { ModelSignature, SignatureTensor } from '../../src/types/model.js';

/** `x FP32 [-1,4]` */
function tensor(text: string): SignatureTensor {
  const [name, datatype, shape] = text.split(' ');
  return { name: name!, datatype: datatype as DataType, shape: JSON.parse(shape!) as number[] };
}

export function signature(inputs: string[], outputs: string[], overridable: string[] = []): ModelSignature {
  return { inputs: inputs.map(tensor), outputs: outputs.map(tensor), overridable: overridable.map(tensor) };
}
