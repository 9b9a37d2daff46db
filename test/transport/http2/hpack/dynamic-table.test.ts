import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DynamicTable } from '../../../../src/transport/http2/hpack/dynamic-table.js';
import { TableField } from '../../../../src/transport/http2/hpack/field.js';

const operation = fc.oneof(
  fc.record({ add: fc.integer({ min: 0, max: 300 }) }),
  fc.record({ resize: fc.integer({ min: 0, max: 8192 }) }),
);

test('RFC 7541, 2.3.2 and 4: holds what an array would hold', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const table = new DynamicTable(4096);
      let model: TableField[] = [];
      let bytesMax = 4096;
      const sum = () => model.reduce((bytes, field) => bytes + field.bytes, 0);
      for (const [index, item] of operations.entries()) {
        if ('add' in item) {
          const field = new TableField(`f${index}`, 'v'.repeat(item.add));
          table.add(field);
          model = [field, ...model];
        } else {
          bytesMax = item.resize;
          table.resize(bytesMax);
        }
        while (sum() > bytesMax) model.pop();
        expect(table.bytes).toBe(sum());
        expect(Array.from({ length: table.length }, (_, age) => table.at(age).name)).toEqual(
          model.map(({ name }) => name),
        );
      }
    }),
    { numRuns: 200 },
  );
});
