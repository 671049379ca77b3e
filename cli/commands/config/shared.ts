import { suggest } from '../../../lib/suggest.ts';
import { settingKeys } from '../../config/settings.ts';
import { failUsage, type Failed } from '../../outcome.ts';
import type { Column } from '../../output/print.ts';

export type OriginOptions = { readonly showOrigin?: boolean };

/** --show-origin, for `Command.option`. */
export const originOption = ['--show-origin', 'show where each value comes from'] as const;

/** A setting with its value and where that comes from. */
export type SettingRow = {
  readonly key: string;
  readonly text: string | undefined;
  readonly origin: string;
};

export function failUnknownKey(key: string): Failed {
  const known = settingKeys.join(', ');
  const message = `unknown setting ${JSON.stringify(key)}; the settings are ${known}`;
  return failUsage('key', message, suggest(key, settingKeys));
}

export function toSettingJson({ key, text, origin }: SettingRow, showOrigin: boolean): object {
  return { key, value: text, ...(showOrigin ? { origin } : {}) };
}

export function settingColumns(showOrigin: boolean): readonly Column<SettingRow>[] {
  const shown: Column<SettingRow>[] = [
    {
      header: 'key',
      value: ({ key }) => key,
      table: { title: 'KEY', isKey: true, cell: ({ key }) => key },
    },
    {
      header: 'value',
      value: ({ text }) => text,
      isText: true,
      table: { title: 'VALUE', isKey: true, cell: ({ text }) => text },
    },
  ];
  const origin: Column<SettingRow> = {
    header: 'origin',
    value: (row) => row.origin,
    table: { title: 'ORIGIN', cell: (row) => row.origin },
  };
  return showOrigin ? [...shown, origin] : shown;
}
