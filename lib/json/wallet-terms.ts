import type { LimitUse, WalletTerms } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { formatMoney } from './money.ts';

/** A wallet's terms as printed; `isDryRun` says that what was asked for was not done. */
export type TermsRow = {
  readonly terms: WalletTerms;
  readonly asOf: Date | undefined;
  readonly isDryRun: boolean;
};

/**
 * docs/cli.md, "JSON": the shape of a wallet's overdraft and spending limits. A limit that does not
 * apply is not in `limits`.
 */
export function toTermsJson({ terms, asOf, isDryRun }: TermsRow): object {
  const { userId, currency, number, overdraftLimitMinor, limits, isDefault, uses } = terms;
  return {
    userId,
    currency,
    number,
    overdraftLimit: formatMoney(overdraftLimitMinor, currency),
    default: isDefault,
    timezone: limits && (limits.timezone || 'UTC'),
    limits: uses.map((use) => toUseJson(use, currency)),
    asOf: asOf?.toISOString(),
    dryRun: isDryRun ? true : undefined,
  };
}

function toUseJson(use: LimitUse, currency: string): object {
  const { name, limitMinor, usedMinor, leftMinor, resetsAt } = use;
  return {
    name,
    limit: formatMoney(limitMinor, currency),
    // What one transaction may have is not used up by another.
    used: name === 'perTransaction' ? undefined : formatMoney(usedMinor, currency),
    left: name === 'perTransaction' ? undefined : formatMoney(leftMinor, currency),
    resetsAt: resetsAt?.toISOString(),
  };
}
