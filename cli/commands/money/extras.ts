import { findViaProblem } from '../../../core/contra-account.ts';
import { findMetadataProblem, metadataLimits } from '../../../core/json/metadata.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../core/text.ts';
import type { Context } from '../../context.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { readExpiry, type Expiry } from '../shared/lifetime.ts';

/** The options of the commands that move money, as they were typed. */
export type MoneyOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly description?: string;
  readonly merchant?: string;
  /** Who is paid by a transfer: an e-mail address or an id, as typed. */
  readonly to?: string;
  readonly via?: string;
  readonly reference?: string;
  /** `KEY=VALUE`, each. */
  readonly meta?: readonly string[];
  /** Of an undo: a part of what is left. */
  readonly amount?: string;
  readonly force?: boolean;
  /** Of a hold: one of them at most. */
  readonly expiresIn?: string;
  readonly expiresAt?: string;
  /** Of a capture: what is left stays reserved. */
  readonly keepRest?: boolean;
  readonly idempotencyKey?: string;
  /** Not the key that an unfinished earlier run of the same command left. */
  readonly newKey?: boolean;
  readonly dryRun?: boolean;
};

/** What a command says besides how much, of which wallet and parent. */
export type Extras = {
  readonly description: string | undefined;
  readonly merchant: string | undefined;
  /** Who is paid, as typed; what is confirmed and sent has the id. */
  readonly to: string | undefined;
  /** The account outside that money comes from or goes to; undefined is cash. */
  readonly via: string | undefined;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly isForced: boolean;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest: boolean;
} & Expiry;

/** An empty text says nothing, as one that is not given. */
const readText = (text: string | undefined): string | undefined =>
  canonicalText(text ?? '') || undefined;

/** Checks the options that say more than how much. */
export function readExtras(
  options: MoneyOptions,
  context: Pick<Context, 'clock' | 'settings'>,
): Outcome<Extras> {
  const texts = {
    description: readText(options.description),
    merchant: readText(options.merchant),
    reference: readText(options.reference),
  };
  for (const field of ['description', 'merchant', 'reference'] as const) {
    const text = texts[field];
    const maxLength = field === 'reference' ? metadataLimits.value : textLimits[field];
    const problem = text === undefined ? undefined : findTextProblem(text, maxLength);
    if (problem !== undefined) return failUsage(field, problem);
  }
  const via = readText(options.via);
  const viaProblem = via === undefined ? undefined : findViaProblem(via);
  if (viaProblem !== undefined) return failUsage('via', `${JSON.stringify(via)} ${viaProblem}`);
  const metadata = readMetadata(options.meta ?? []);
  if (!metadata.ok) return metadata;
  const expiry = readExpiry(options, context);
  if (!expiry.ok) return expiry;
  return succeed({
    ...texts,
    via,
    to: readText(options.to),
    metadata: metadata.value,
    isForced: options.force === true,
    ...expiry.value,
    keepsRest: options.keepRest === true,
  });
}

function readMetadata(pairs: readonly string[]): Outcome<Readonly<Record<string, string>>> {
  const metadata = new Map<string, string>();
  for (const pair of pairs) {
    const end = pair.indexOf('=');
    if (end <= 0) {
      const message = `${JSON.stringify(pair)} is not of the form KEY=VALUE`;
      return failUsage('meta', message, 'for example: --meta order=1042');
    }
    const key = pair.slice(0, end);
    if (metadata.has(key)) return failUsage('meta', `has the key ${JSON.stringify(key)} twice`);
    metadata.set(key, pair.slice(end + 1));
  }
  const read = Object.fromEntries(metadata);
  const found = findMetadataProblem(read);
  return found ? failUsage('meta', found.problem) : succeed(read);
}
