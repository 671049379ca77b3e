import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { redact } from './redaction.ts';

const taken = '"[redacted]"';

describe('redaction of dead letters', () => {
  it.each([
    ['{"password":"x"}', `{"password":${taken}}`],
    [
      '{ "a" : 1.10 , "apiToken" : 17 , "b" : 2 }',
      `{ "a" : 1.10 , "apiToken" : ${taken} , "b" : 2 }`,
    ],
    ['{"Authorization":["a",{"b":"]"}],"c":"d"}', `{"Authorization":${taken},"c":"d"}`],
    ['{"clientSecret":{"a":"}\\"}"},"c":3}', `{"clientSecret":${taken},"c":3}`],
    ['{"token":null}', `{"token":${taken}}`],
    ['{"passw\\u006frd":"x"}', `{"passw\\u006frd":${taken}}`],
    ['[{"token":true}]', `[{"token":${taken}}]`],
    // Cut or broken: as far as it goes.
    ['{"a":1,"token":"half of it', `{"a":1,"token":${taken}`],
    ['{"a":1,"token":[{"b":', `{"a":1,"token":${taken}`],
    ['{"a":"token"}', '{"a":"token"}'],
    ['the password is x', 'the password is x'],
    [
      `{"note":"key dwk_0a1b2c3d_${'x'.repeat(43)}, cookie dws_${'y'.repeat(43)}."}`,
      '{"note":"key [redacted], cookie [redacted]."}',
    ],
    [`token=dws_${'y'.repeat(43)}`, 'token=[redacted]'],
    ['{"note":"dws_ and dwk_0a1b2c3d"}', '{"note":"dws_ and dwk_0a1b2c3d"}'],
    ['', ''],
  ])('the dead letter %s is shown as %s', (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  it('a secret in a dead letter is redacted at any depth', () => {
    const depth = 200_000;
    const text = `${'['.repeat(depth)}{"token":"x"}${']'.repeat(depth)}`;
    expect(redact(text)).toBe(`${'['.repeat(depth)}{"token":${taken}}${']'.repeat(depth)}`);
    const inside = `{"secret":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)},"b":2}`;
    expect(redact(inside)).toBe(`{"secret":${taken},"b":2}`);
  });

  it('a redacted dead letter stays JSON, and has no value under the name of a secret', () => {
    const json = fc.json({ maxDepth: 4 });
    fc.assert(
      fc.property(json, json, (before, secret) => {
        const text = `{"before":${before},"myToken":${secret},"after":${before}}`;
        const shown = JSON.parse(redact(text)) as Record<string, unknown>;
        expect(shown).toMatchObject({ myToken: '[redacted]' });
        expect(Object.keys(shown)).toEqual(['before', 'myToken', 'after']);
      }),
    );
  });
});
