import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldText } from '../../src/config/config-source.js';
import { formatModelConfig } from '../../src/config/format-pbtxt.js';
import { valuePaths } from '../../src/config/marks.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { anyModelConfig } from './arbitrary-config.js';

test('what is written is read as the same', () => {
  fc.assert(
    fc.property(anyModelConfig(), (config) => {
      expect(
        parseModelConfig(
          formatModelConfig(config, () => 'a "comment" {'),
          'f',
        ),
      ).toEqual(config);
    }),
  );
});

test('every value is commented on once, under the path that marks have', () => {
  fc.assert(
    fc.property(anyModelConfig(), (config) => {
      const asked: string[] = [];
      formatModelConfig(config, (path) => {
        asked.push(fieldText(path));
        return '';
      });
      expect(asked).toEqual(
        valuePaths(config)
          .map(fieldText)
          .filter((path) => path !== ''),
      );
    }),
  );
});

test('comments stand behind values, messages are indented', () => {
  const config = parseModelConfig('name: "a\\n\\"b\\"" parameters { key: "k" value { string_value: "v" } }', 'f');
  const text = formatModelConfig(config, (path) => (path.length === 1 ? '' : fieldText(path)));
  expect(text).toContain('name: "a\\n\\"b\\""\n');
  expect(text).toContain(
    'parameters {\n  key: "k"\n  value {\n    string_value: "v"  # parameters["k"].string_value\n  }\n}\n',
  );
});
