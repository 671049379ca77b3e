import { describe, expect, it } from 'vitest';

import type { CreatedEvent } from '../../../core/created-event.ts';
import { createEchoes } from './echoes.ts';

const event = (id: string) => ({ id }) as CreatedEvent;
const body = (text: string) => Buffer.from(text);

describe('what comes back to the process that sent it', () => {
  it('is known by its bytes, once', () => {
    const echoes = createEchoes(10);
    echoes.expect();
    echoes.note('m', body('{}'), event('e'));
    expect(echoes.take('m', body('{}'))).toEqual({ id: 'e' });
    expect(echoes.take('m', body('{}'))).toBeUndefined();
  });

  it('is read like anybody’s if a byte differs, or if the id was never ours', () => {
    const echoes = createEchoes(10);
    echoes.expect();
    echoes.note('m', body('{"a":1}'), event('e'));
    expect(echoes.take('m', body('{"a":2}'))).toBeUndefined();
    expect(echoes.take('n', body('{"a":1}'))).toBeUndefined();
    expect(echoes.take('m', body('{"a":1}'))).toEqual({ id: 'e' });
  });

  it('is kept up to a bound, the newest first of all, and not at all where nobody asks', () => {
    const echoes = createEchoes(2);
    echoes.note('0', body('x'), event('0'));
    expect(echoes.take('0', body('x'))).toBeUndefined();
    echoes.expect();
    for (const id of ['1', '2', '3']) echoes.note(id, body('x'), event(id));
    expect(echoes.take('1', body('x'))).toBeUndefined();
    expect(echoes.take('2', body('x'))).toEqual({ id: '2' });
    expect(echoes.take('3', body('x'))).toEqual({ id: '3' });
  });
});
