import { formatMoney } from '../../../../lib/json/money.ts';
import { formatZonedTime } from '../../../../lib/json/time.ts';
import type { ProvedClaim } from '../../../../core/statement-proof/index.ts';
import { groupThousands } from '../../../output/amount.ts';
import type { Column } from '../../../output/print.ts';
import { formatLocalTime } from '../../../output/time.ts';
import type { KeyTrust } from './trust.ts';

/** What was proved of a file. */
type ProvedFileRow = {
  readonly file: string;
  readonly proof: string;
  readonly claim: ProvedClaim;
  readonly trust: KeyTrust;
};

/** docs/cli.md, "JSON": what `statement verify` proved. */
export function toProofJson({ file, proof, claim, trust }: ProvedFileRow): object {
  const { statement, lines, seal } = claim;
  const { walletId, userId, currency, fromMs, toMs, timezone } = statement;
  const zoned = (ms: number): string => formatZonedTime(new Date(ms), timezone);
  const money = (minor: bigint): string => formatMoney(minor, currency);
  const toNumber = (seq: bigint | undefined) => (seq === undefined ? undefined : Number(seq));
  return {
    ...{ file, proof, walletId, userId, currency, timezone },
    ...{ from: zoned(fromMs), to: zoned(toMs) },
    lines: Number(shownOf(claim)),
    firstSeq: toNumber(lines.firstSeq),
    lastSeq: toNumber(lines.lastSeq),
    opening: money(lines.openingMinor),
    totalDebit: money(lines.totalDebitMinor),
    totalCredit: money(lines.totalCreditMinor),
    closing: money(lines.closingMinor),
    periodProved: claim.isPeriodProved,
    checkpoint: {
      time: new Date(seal.timeMs).toISOString(),
      wallets: Number(seal.walletCount),
      root: seal.rootHash,
      keyId: seal.keyId,
      keyOrigin: trust.origin,
      keyServer: trust.origin === 'known' ? trust.server : undefined,
    },
  };
}

/** Lines of the file: holds and releases among the entries may not be shown. */
const shownOf = ({ file, lines }: ProvedClaim): bigint =>
  file.hasHolds ? lines.count : lines.count - lines.holdCount;

/** The same for people, a sentence for each thing that was proved. */
export function proofColumns(timezone: string): readonly Column<ProvedFileRow>[] {
  const column = (
    header: string,
    title: string,
    value: (row: ProvedFileRow) => string,
    cell = value,
  ): Column<ProvedFileRow> => ({ header, value, isText: true, table: { title, cell } });
  const moneyOf = ({ claim }: ProvedFileRow) => {
    const { currency } = claim.statement;
    return (minor: bigint): string => `${groupThousands(formatMoney(minor, currency))} ${currency}`;
  };
  return [
    column('file', 'PROVED', ({ file }) => file),
    column('wallet_id', 'WALLET', ({ claim }) => claim.statement.walletId),
    column('user_id', 'USER', ({ claim }) => claim.statement.userId),
    column('period', 'PERIOD', describePeriod),
    column('lines', 'LINES', ({ claim }) => shownOf(claim).toString(), describeLines),
    column('balances', 'BALANCES', (row) => {
      const [money, { lines }] = [moneyOf(row), row.claim];
      const { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor } = lines;
      return (
        `opening ${money(openingMinor)}, debit ${money(totalDebitMinor)}, ` +
        `credit ${money(totalCreditMinor)}, closing ${money(closingMinor)}`
      );
    }),
    column('complete', 'COMPLETE', describeEnds),
    column('checkpoint', 'CHECKPOINT', ({ claim: { seal, lines } }) => {
      const time = formatLocalTime(new Date(seal.timeMs), timezone);
      const last = lines.next === 'nothing' ? 'nothing' : 'other entries';
      return `${time}, of ${seal.walletCount} wallets: all lines were in the ledger, and ${last} after them`;
    }),
    column('signature', 'SIGNATURE', ({ claim: { seal }, trust }) => {
      const whose =
        trust.origin === 'given'
          ? `in ${trust.file}`
          : `that ${trust.server} gave on ${formatLocalTime(new Date(trust.seenAt), timezone)}`;
      return `valid, by the key ${seal.keyId} ${whose}`;
    }),
  ];
}

function describePeriod({ claim: { statement } }: ProvedFileRow): string {
  const { fromMs, toMs, timezone } = statement;
  const local = (ms: number): string => formatLocalTime(new Date(ms), timezone);
  return `${local(fromMs)} to ${local(toMs)} (not included), ${timezone}`;
}

function describeLines({ claim }: ProvedFileRow): string {
  const { count, firstSeq, lastSeq } = claim.lines;
  if (firstSeq === undefined || lastSeq === undefined) return '0: there are none in the ledger';
  const shown = shownOf(claim);
  const rest =
    shown === count
      ? 'none left out or added'
      : `${count - shown} holds and releases left out, none added`;
  return `${shown}: entries ${firstSeq} to ${lastSeq} of the ledger, each as it is there, ${rest}`;
}

function describeEnds({ claim: { isPeriodProved } }: ProvedFileRow): string {
  return isPeriodProved
    ? 'yes: no entry before or after the lines is in the period'
    : 'not proved: the proof does not show the entries beside the lines';
}
