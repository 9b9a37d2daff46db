import fc from 'fast-check';
import type { ParameterValue, TensorData } from '../../../../bench/load/data/data-set.js';
import { packStrings } from '../../../../bench/load/data/elements.js';
import type { RequestSettings, SourceStep } from '../../../../bench/load/encode/request-settings.js';
import type { RegionPlace, TargetModel, TensorSource } from '../../../../bench/load/target/target.js';
import { type DataType, elementBytes } from '../../../../src/types/datatype.js';
import { elementCount } from '../../../../src/types/tensor.js';
import { targetModel, tensor } from '../target-model.js';

export const datatypes = Object.keys(elementBytes) as DataType[];

/** Also with digits and quotes, which the places of ids must not be mistaken for. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
  fc.constantFrom('0000000000', '"id":"0000000000"', '"sequence_id":0               ', 'sequence_id'),
);

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Strings are UTF-8 where they are to be JSON. */
const strings = (count: number, isText: boolean): fc.Arbitrary<Buffer> => {
  const text = fc
    .oneof(fc.string({ unit: 'grapheme' }), fc.constant('0000000000'))
    .map((string) => Buffer.from(string));
  const element = isText ? text : fc.oneof(text, fc.uint8Array({ maxLength: 9 }));
  return fc.array(element, { minLength: count, maxLength: count }).map(packStrings);
};

/** Bytes of any value, but of booleans 0 and 1. */
const numbers = (count: number, datatype: DataType): fc.Arbitrary<Buffer> => {
  const length = count * elementBytes[datatype];
  const bytes = fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
  return datatype === 'BOOL' ? bytes.map((any) => any.map((byte) => byte & 1) as Buffer).map(Buffer.from) : bytes;
};

export function anyTensor(isText: boolean): fc.Arbitrary<TensorData> {
  const datatype = fc.constantFrom(...datatypes.filter((type) => !isText || type !== 'BF16'));
  return fc.record({ name, datatype, shape }).chain((head) => {
    const count = elementCount(head.shape);
    const bytes = head.datatype === 'BYTES' ? strings(count, isText) : numbers(count, head.datatype);
    return bytes.map((content) => ({ ...head, bytes: content }));
  });
}

export const anyPlace: fc.Arbitrary<RegionPlace> = fc.record({
  region: fc.string({ minLength: 1, unit: 'grapheme' }),
  offset: fc.nat(1000),
  bytes: fc.integer({ min: 1, max: 2 ** 40 }),
});

function anySource(isText: boolean): fc.Arbitrary<TensorSource> {
  const placed = fc.tuple(anyTensor(isText), anyPlace).map(([{ bytes: _, ...head }, place]) => ({ ...head, place }));
  return fc.oneof({ weight: 4, arbitrary: anyTensor(isText) }, { weight: 1, arbitrary: placed });
}

const anyValue: fc.Arbitrary<ParameterValue> = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
  fc.bigInt(2n ** 53n, 2n ** 63n - 1n),
);

/** Keys of objects that JavaScript has ideas of its own about are left out: numbers come first. */
const anyParameters = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 8 }).map((key) => `p${key}`),
  anyValue,
  { maxKeys: 3 },
);

export interface AnyForm {
  readonly model: TargetModel;
  readonly step: SourceStep;
  readonly settings: RequestSettings;
}

export function anyForm(inputFormat: 'binary' | 'json', outputFormat: 'binary' | 'json'): fc.Arbitrary<AnyForm> {
  const byName = { selector: (item: { readonly name: string }) => item.name, minLength: 1, maxLength: 4 };
  const inputs = fc.uniqueArray(anySource(inputFormat === 'json'), byName);
  const outputs = fc.uniqueArray(fc.record({ name, place: fc.option(anyPlace) }), { ...byName, minLength: 0 });
  const scheduler = fc.constantFrom('default' as const, 'sequence' as const);
  return fc
    .record({
      inputs,
      outputs,
      scheduler,
      parameters: anyParameters,
      own: anyParameters,
      modelVersion: fc.constantFrom('', '3'),
    })
    .map(({ inputs, outputs, scheduler, parameters, own, modelVersion }) => ({
      model: targetModel(
        'a model',
        inputs.map((input) => tensor(input.name, input.datatype, input.shape)),
        outputs.map((output) => tensor(output.name, 'FP32', [1])),
        { scheduler },
      ),
      step: { inputs, expected: null, parameters: own },
      settings: {
        target: {
          host: '::1',
          port: 8000,
          path: '/v2/models/a%20model/infer',
          headers: [['x-user', 'me: 0000000000']],
        },
        modelVersion,
        inputFormat,
        outputFormat,
        parameters,
        outputPlaces: new Map(
          outputs.flatMap((output) => (output.place === null ? [] : [[output.name, output.place]])),
        ),
      },
    }));
}
