import type { OpTable } from '../call.js';
import { binaryOps } from './binary.js';
import { cellOps } from './cell.js';
import { flowOps } from './flow.js';
import { imageOps } from './image.js';
import { joinOps } from './join.js';
import { listOps } from './list.js';
import { matrixOps } from './matrix.js';
import { reductionOps } from './reduction.js';
import { resizeOps } from './resize.js';
import { shapeOps } from './shape.js';
import { sliceOps } from './slice.js';
import { textOps } from './text.js';
import { unaryOps } from './unary.js';

/** Ops that the translator itself knows, because they are more than their inputs. */
export const structuralOps = [
  'Const',
  'If',
  'Merge',
  'NoOp',
  'PartitionedCall',
  'Placeholder',
  'PlaceholderV2',
  'StatefulPartitionedCall',
  'StatelessIf',
  'StatelessWhile',
  'Switch',
  'VarHandleOp',
  'Variable',
  'VariableV2',
  'While',
] as const;

export const opTable: ReadonlyMap<string, OpTable[string]> = new Map(
  [
    binaryOps,
    cellOps,
    flowOps,
    imageOps,
    joinOps,
    listOps,
    matrixOps,
    reductionOps,
    resizeOps,
    shapeOps,
    sliceOps,
    textOps,
    unaryOps,
  ].flatMap((table) => Object.entries(table)),
);
