import { describe, expect, test } from 'vitest';

import {
  dropInvalid,
  layerSettings,
  parseDuration,
  typeSettings,
  type Layers,
} from './settings.ts';

const none: Layers = { flags: {}, environment: {}, profile: {} };

describe('layerSettings', () => {
  test('settings are taken from flag, environment, profile and default, in this order', () => {
    const flags = { server: 'flag.example:1' };
    const environment = { server: 'env.example:1', currency: 'EUR' };
    const profile = { server: 'profile.example:1', currency: 'USD', timeout: '5s' };
    const values = layerSettings({ flags, environment, profile });
    expect(values.server).toEqual({ text: 'flag.example:1', origin: 'flag' });
    expect(values.currency).toEqual({ text: 'EUR', origin: 'environment' });
    expect(values.timeout).toEqual({ text: '5s', origin: 'profile' });
    expect(values.output).toEqual({ text: 'table', origin: 'default' });
  });

  test('a setting with an empty text counts as absent', () => {
    const values = layerSettings({ ...none, environment: { server: '' } });
    expect(values.server.origin).toBe('default');
  });
});

describe('typeSettings', () => {
  test('the default settings are valid, and get their types', () => {
    expect(typeSettings(layerSettings(none), () => 'Europe/Lisbon')).toMatchObject({
      ok: true,
      value: {
        server: { text: '127.0.0.1:50051' },
        output: 'table',
        currency: 'BRL',
        timezone: 'Europe/Lisbon',
        timeoutMs: 30_000,
        hasTls: false,
        isPlaintextAllowed: false,
      },
    });
  });

  test('invalid settings are all reported, each with its origin', () => {
    const values = layerSettings({
      flags: { timeout: 'soon' },
      environment: { output: 'xml' },
      profile: { currency: 'brl' },
    });
    const typed = typeSettings(values, () => 'UTC');
    expect(typed).toMatchObject({ ok: false, failure: { exitCode: 2 } });
    const message = typed.ok ? '' : typed.failure.message;
    for (const part of ['--timeout: "soon"', 'WALLET_OUTPUT: "xml"', `the profile's currency`]) {
      expect(message).toContain(part);
    }
    expect(typeSettings(dropInvalid(values), () => 'UTC').ok).toBe(true);
  });
});

test.each([
  ['30', 30_000],
  ['500ms', 500],
  ['2m', 120_000],
  ['60m', 3_600_000],
  ['0', undefined],
  ['61m', undefined],
  ['-1s', undefined],
  ['1.5s', undefined],
  ['1h', undefined],
])('parseDuration(%s) is %s', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs);
});
