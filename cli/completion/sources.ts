import type { Argument, Option } from 'commander';

import { currencyCodes, isWithdrawn } from '../../core/currencies.ts';
import { operations } from '../../core/operations.ts';
import { reasonCodes } from '../../core/reasons.ts';
import { roles } from '../../core/roles.ts';
import { apiKeyScopes } from '../../core/scopes.ts';
import { exportFormats, exportLocales } from '../../core/statement-format/index.ts';
import { holdStateNames } from '../../lib/json/holds.ts';
import { auditServices } from '../commands/audit/cursor.ts';
import { deadLetterServices, deadLetterStates } from '../commands/dead-letters/shared.ts';
import { helpTopics } from '../commands/help/topics.ts';
import { isSettingKey, outputFormats, settingKeys, settingSpecs } from '../config/settings.ts';
import { shells } from './split-line.ts';
import { listCommands, walk, type Candidate, type Position } from './walk.ts';

/** A wallet of the caller's own. */
export type OwnWallet = { readonly id: string; readonly currency: string };

/** What is known outside of the program's text. Neither rejects, both may take a moment. */
export type Sources = {
  readonly profiles: (given: Position['given']) => Promise<readonly string[]>;
  readonly ownWallets: (given: Position['given']) => Promise<readonly OwnWallet[]>;
};

type Asked = {
  readonly sources: Sources;
  readonly position: Position;
  /** The beginning of the value. */
  readonly typed: string;
};
type Values = (asked: Asked) => readonly Candidate[] | Promise<readonly Candidate[]>;

/** Where the values of an option or an argument come from. */
export type Source = 'files' | Values;

const listed = (values: readonly string[]): Values => {
  const candidates = values.map((value) => ({ value }));
  return () => candidates;
};
const none = listed([]);

const profiles: Values = async ({ sources, position }) =>
  (await sources.profiles(position.given)).map((value) => ({ value }));

/** The caller's own while one of them fits, otherwise all. */
const currencies: Values = async ({ sources, position, typed }) => {
  const wallets = position.given.has('--user') ? [] : await sources.ownWallets(position.given);
  const own = wallets.map(({ currency }) => ({ value: currency, help: 'your wallet' }));
  if (own.some(({ value }) => value.startsWith(typed))) return own;
  return currencyCodes.filter((code) => !isWithdrawn(code)).map((value) => ({ value }));
};

const walletIds: Values = async ({ sources, position }) =>
  (await sources.ownWallets(position.given)).map(({ id, currency }) => ({
    value: id,
    help: currency,
  }));

const formats: Values = ({ position }) => {
  const { command } = position;
  const hasJournal = command.name() === 'show' && command.parent?.name() === 'statement';
  return [...outputFormats, ...(hasJournal ? ['hledger'] : [])].map((value) => ({ value }));
};

const timezones: Values = () =>
  ['UTC', ...Intl.supportedValuesOf('timeZone')].map((value) => ({ value }));

const services: Values = ({ position }) =>
  (position.command.parent?.name() === 'audit'
    ? [...auditServices, 'all']
    : deadLetterServices
  ).map((value) => ({ value }));

const states: Values = ({ position }) =>
  (position.command.parent?.name() === 'holds' ? holdStateNames : deadLetterStates).map(
    (value) => ({ value }),
  );

const settings: Values = () =>
  settingKeys.map((value) => ({ value, help: settingSpecs[value].help }));

const settingValues: Values = (asked) => {
  const [key = ''] = asked.position.positionals;
  if (!isSettingKey(key)) return [];
  if (key === 'output') return outputFormats.map((value) => ({ value }));
  if (key === 'currency') return currencies(asked);
  if (key === 'timezone') return timezones(asked);
  const isSwitch = ['tls', 'insecure-plaintext', 'insecure-storage'].includes(key);
  return isSwitch ? [{ value: 'true' }, { value: 'false' }] : [];
};

const helpWords: Values = ({ position }) => {
  let program = position.command;
  while (program.parent) program = program.parent;
  const { command } = walk(program, position.positionals);
  const topics = Object.entries(helpTopics).map(([value, { summary }]) => ({
    value,
    help: summary,
  }));
  return [...listCommands(command), ...(command === program ? topics : [])];
};

/** By the option's name. */
const byOption: Readonly<Record<string, Source>> = {
  '--profile': profiles,
  '--output': formats,
  '--currency': currencies,
  '--format': listed(exportFormats),
  '--input-format': listed(['csv', 'ndjson']),
};

/** By the argument's name, where that stands for something else than at options. */
const byArgument: Readonly<Record<string, Source>> = { KEY: settings, NAME: profiles };

/** By what stands for the value in the help: `<FILE>`. */
const byPlaceholder: Readonly<Record<string, Source>> = {
  FILE: 'files',
  RESULTS: 'files',
  ZONE: timezones,
  OPERATION: listed(operations),
  LOCALE: listed(exportLocales),
  ROLE: listed(roles),
  SCOPE: listed(apiKeyScopes),
  WALLET_ID: walletIds,
  SERVICE: services,
  STATE: states,
  REASON: listed(Object.keys(reasonCodes)),
  SHELL: listed(shells),
  VALUE: settingValues,
  COMMAND_OR_TOPIC: helpWords,
  ...Object.fromEntries(
    [
      ...[
        'HOST:PORT',
        'URL',
        'TIME',
        'EMAIL',
        'USER',
        'TEXT',
        'N',
        'TOKEN',
        'TARGET',
        'ACTION',
        'CODE',
      ],
      ...['NAME', 'NAMES', 'KEY', 'KEY=VALUE', 'SPAN', 'MONTH'],
      ...[
        'AMOUNT',
        'TRANSACTION_ID',
        'ID',
        'SESSION_ID',
        'API_KEY_ID',
        'NEW_NAME',
        'HOLD_ID',
        'SPAN=AMOUNT',
      ],
    ].map((name) => [name, none]),
  ),
};

/** Undefined for an option that the tables above do not know. */
export function findKnownOptionSource(option: Option): Source | undefined {
  const placeholder = /<(.+?)(?:\.\.\.)?>/.exec(option.flags)?.[1] ?? '';
  return byOption[option.long ?? ''] ?? byPlaceholder[placeholder];
}

export const findOptionSource = (option: Option): Source => findKnownOptionSource(option) ?? none;

export const findArgumentSource = (argument: Argument): Source =>
  findKnownArgumentSource(argument) ?? none;

/** Undefined for an argument that the tables above do not know. */
export const findKnownArgumentSource = (argument: Argument): Source | undefined =>
  byArgument[argument.name()] ?? byPlaceholder[argument.name()];
