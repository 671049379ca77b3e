import { z } from 'zod';

import { toTermsJson } from '../../../../lib/json/wallet-terms.ts';
import {
  GetWalletTermsRequest,
  SetWalletTermsRequest,
  WalletServiceService as wallet,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { amount, amountOf, currency, money, time, uuid } from '../../http/fields.ts';
import { fault, found, type Found } from '../../http/problems.ts';
import { answer, defineRoute, type Route } from '../../http/route.ts';
import { userIdOf, walletParams } from '../wallets.ts';

const tag = 'wallets';
const path = '/v1/wallets/:user/:currency/terms';

/** docs/cli.md, "JSON": the terms of a wallet. */
const termsShape = z
  .object({
    userId: uuid,
    currency,
    number: z.int().meta({ description: 'Grows with every change; 0: none was made' }),
    overdraftLimit: money.meta({ description: 'How far below 0 the balance may go' }),
    default: z.boolean().meta({
      description: 'The limits are those of the server: the wallet has none of its own',
    }),
    timezone: z.string().optional().meta({ description: 'Where days begin' }),
    limits: z.array(
      z.object({
        name: z.string().meta({
          description: '`perTransaction`, `day`, `week`, `month`, or like `rolling-24h`',
        }),
        limit: money,
        used: money.optional(),
        left: money.optional(),
        resetsAt: time.optional(),
      }),
    ),
    asOf: time.optional(),
    dryRun: z.literal(true).optional(),
  })
  .meta({ id: 'WalletTerms' });

const example = {
  userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  ...{ currency: 'BRL', number: 1, overdraftLimit: '100.00', default: false },
  timezone: 'America/Sao_Paulo',
  limits: [
    { name: 'perTransaction', limit: '500.00' },
    {
      ...{ name: 'day', limit: '1000.00', used: '150.00', left: '850.00' },
      resetsAt: '2026-11-23T03:00:00.000Z',
    },
  ],
};

const limit = amount.optional();
const limitsField = z.strictObject({
  perTransaction: limit,
  day: limit,
  week: limit.meta({ description: 'From Monday' }),
  month: limit,
  rolling: z
    .array(z.strictObject({ hours: z.int(), amount }))
    .max(8)
    .optional()
    .meta({ description: 'Of the hours before each transaction' }),
  timezone: z.string().max(64).optional().meta({ description: 'IANA name; default UTC' }),
});
type Limits = z.infer<typeof limitsField>;

/** Overdraft and spending limits: `/v1/wallets/:user/:currency/terms` */
export const termsRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path,
    tag,
    summary: 'Get overdraft and spending limits of a wallet, and what was used of these',
    credential: 'required',
    params: walletParams,
    answers: { 200: { description: 'The terms', schema: termsShape, example } },
    problems: ['CURRENCY_UNKNOWN', 'USER_NOT_FOUND', 'USER_REQUIRED'],
    run: async ({ params: { user, currency: of }, call }) => {
      const request = GetWalletTermsRequest.fromPartial({ userId: userIdOf(user), currency: of });
      const got = await call('wallet', wallet.getWalletTerms, request);
      if (!got.ok) return got;
      const { terms, asOf } = got.value;
      if (!terms) throw new Error('the answer has no terms');
      return answer(200, toTermsJson({ terms, asOf, isDryRun: false }));
    },
  }),
  defineRoute({
    method: 'PUT',
    path,
    tag,
    summary: 'Set overdraft and spending limits of a wallet (staff)',
    description:
      'What is absent stays as it is. `limits` replaces all spending limits; `null` removes them, so ' +
      'that those of the server apply. A wallet that does not exist is opened.',
    credential: 'required',
    params: walletParams,
    body: z.strictObject({
      overdraftLimit: amount.optional().meta({ description: '0 ends the overdraft' }),
      limits: limitsField.nullable().optional(),
      expectedNumber: z.int().min(0).optional().meta({
        description: 'Only if the terms have this number now, otherwise TERMS_CHANGED',
      }),
      note: z.string().max(1_000).optional().meta({ description: 'Why, for the audit log' }),
      dryRun: z.boolean().optional(),
    }),
    bodyExample: {
      overdraftLimit: '100.00',
      limits: { perTransaction: '500.00', day: '1000.00', timezone: 'America/Sao_Paulo' },
    },
    answers: { 200: { description: 'The terms', schema: termsShape, example } },
    problems: [
      ...(['AMOUNT_INVALID', 'CURRENCY_UNKNOWN', 'STAFF_OWN_WALLET', 'TERMS_CHANGED'] as const),
      ...(['USER_NOT_FOUND', 'USER_REQUIRED', 'WALLET_BUSY'] as const),
    ],
    run: async ({ params: { user, currency: of }, body, call }) => {
      const { overdraftLimit, limits, note = '', dryRun = false, expectedNumber } = body;
      if (overdraftLimit === undefined && limits === undefined) return nothingGiven;
      const overdraftLimitMinor = limitOf(overdraftLimit, of, 'overdraftLimit');
      if (!overdraftLimitMinor.ok) return overdraftLimitMinor;
      const read = limits ? readLimits(limits, of) : found(undefined);
      if (!read.ok) return read;
      const request = SetWalletTermsRequest.fromPartial({
        ...{ userId: userIdOf(user), currency: of, note, dryRun, expectedNumber },
        overdraftLimitMinor: overdraftLimitMinor.value,
        limits: read.value,
        clearLimits: limits === null,
      });
      const set = await call('wallet', wallet.setWalletTerms, request);
      if (!set.ok) return set;
      const { terms } = set.value;
      if (!terms) throw new Error('the answer has no terms');
      return answer(200, toTermsJson({ terms, asOf: undefined, isDryRun: dryRun }));
    },
  }),
];

const nothingGiven = {
  ok: false,
  fault: fault('INVALID_ARGUMENT', 'overdraftLimit or limits must be given', { field: 'limits' }),
} as const;

type WireLimits = NonNullable<Parameters<typeof SetWalletTermsRequest.fromPartial>[0]['limits']>;

function readLimits({ rolling = [], timezone = '', ...limits }: Limits, of: string) {
  const minor: Record<string, bigint | undefined> = {};
  for (const [name, value] of Object.entries(limits)) {
    const read = limitOf(value, of, `limits.${name}`);
    if (!read.ok) return read;
    minor[`${name}Minor`] = read.value;
  }
  const windows: { hours: number; amountMinor: bigint }[] = [];
  for (const [i, { hours, amount: value }] of rolling.entries()) {
    const read = limitOf(value, of, `limits.rolling[${i}].amount`);
    if (!read.ok) return read;
    windows.push({ hours, amountMinor: read.value ?? 0n });
  }
  return found<WireLimits>({ ...minor, rolling: windows, timezone });
}

/** An amount, which may be 0. */
function limitOf(
  value: string | number | undefined,
  of: string,
  field: string,
): Found<bigint | undefined> {
  const isZero = value !== undefined && /^0(\.0+)?$/.test(String(value));
  return isZero ? found(0n) : amountOf(value, of, field);
}
