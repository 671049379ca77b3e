import { expect, it } from 'vitest';

import { Operation as WireOperation } from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  canUndo,
  isMessageOperation,
  isOperation,
  isUndo,
  operationOfCode,
  operationOfMessageNumber,
  operationOfWireNumber,
  operations,
  operationTable,
} from './operations.ts';

it('the stored codes and the numbers of operations in messages never change', () => {
  const numbers = operations.map((name) => {
    const { code, messageNumber } = operationTable[name];
    return [name, code, messageNumber];
  });
  expect(numbers).toEqual([
    ['deposit', 1, 0],
    ['withdraw', 2, 1],
    ['purchase', 3, 2],
    ['reversal', 4, 3],
    ['cancellation', 5, 4],
    ['transfer', 6, undefined],
    ['hold', 7, undefined],
    ['capture', 8, undefined],
    ['release', 9, undefined],
    ['fee', 11, undefined],
  ]);
});

it('the wire numbers of operations are those of the enum in wallet.proto', () => {
  const enumOf = (name: string): unknown =>
    WireOperation[name.toUpperCase() as keyof typeof WireOperation];
  for (const name of operations) expect(operationTable[name].wireNumber).toBe(enumOf(name));
  const numbers = Object.values(WireOperation).filter((value) => typeof value === 'number');
  // Besides those of the table: UNSPECIFIED and UNRECOGNIZED.
  expect(numbers).toHaveLength(operations.length + 2);
});

it('each number of an operation leads to its name, and no other number does', () => {
  for (const name of operations) {
    const { code, wireNumber, messageNumber } = operationTable[name];
    expect(operationOfCode(code)).toBe(name);
    expect(operationOfWireNumber(wireNumber)).toBe(name);
    if (messageNumber !== undefined) expect(operationOfMessageNumber(messageNumber)).toBe(name);
  }
  expect(() => operationOfCode(0)).toThrow('there is no operation 0');
  expect([0, 10, -1, 1.5].map(operationOfWireNumber)).toEqual(Array(4).fill(undefined));
  expect([-1, 5, 0.5, NaN].map(operationOfMessageNumber)).toEqual(Array(4).fill(undefined));
});

it('inherited property names of objects are no operations', () => {
  expect(['deposit', 'constructor', 'toString', ''].map(isOperation)).toEqual([
    ...[true, false, false, false],
  ]);
});

it('a cancellation undoes what a merchant was paid, a reversal whatever moved money and is no undo', () => {
  const undone = (undo: 'reversal' | 'cancellation') =>
    operations.filter((parent) => canUndo(undo, parent));
  expect(undone('cancellation')).toEqual(['purchase', 'capture']);
  expect(undone('reversal')).toEqual([
    ...['deposit', 'withdraw', 'purchase', 'transfer', 'capture', 'fee'],
  ]);
  expect(operations.filter(isUndo)).toEqual(['reversal', 'cancellation']);
});

it('a message can be let ask for all but a fee, which is in a group only', () => {
  expect(operations.filter((name) => !isMessageOperation(name))).toEqual(['fee']);
});
