import { z } from 'zod';

import { canonicalUuid } from '../../../core/ids.ts';
import { metadataLimits } from '../../../core/json/metadata.ts';
import { hasParent, type Operation } from '../../../core/operations.ts';
import { textLimits } from '../../../core/text.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import type { CreateTransactionRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  amount,
  amountOf,
  currency,
  description,
  operation,
  time,
  timeOf,
  user,
  uuid,
} from '../http/fields.ts';
import { fault, found, type Found } from '../http/problems.ts';

/** The fields of a transaction that is to be made. */
export const itemFields = {
  operation,
  user,
  currency: currency.optional().meta({
    description: 'Default: the server’s currency; for what has a parent, that of its parent',
  }),
  amount: amount.optional().meta({
    description: 'What has a parent, and no amount, is of all that is left of it',
  }),
  parentId: uuid.optional().meta({
    description: 'What a reversal or cancellation undoes; the hold of a capture or release',
  }),
  description,
  merchant: z.string().max(textLimits.merchant).optional().meta({
    description: 'For a purchase or a hold',
  }),
  toUserId: uuid.optional().meta({
    description: 'Who is paid; required for a transfer, possible for a hold',
  }),
  via: z.string().max(40).optional().meta({
    description: 'The account outside, like a bank; for a deposit or withdraw default `cash`',
    example: 'itau',
  }),
  reference: z.string().max(metadataLimits.value).optional().meta({
    description: 'What you know it by; the same as the entry `reference` of metadata',
  }),
  metadata: z
    .record(z.string().max(metadataLimits.key), z.string().max(metadataLimits.value))
    .optional()
    .meta({ description: `Up to ${metadataLimits.entries} pairs; no key begins with \`dw.\`` }),
  expiresAt: time.optional().meta({
    description: 'Of a hold: when it ends; by default after the days that the server has set',
  }),
  expiresInSeconds: z.int().optional().meta({
    description: 'Of a hold, in place of `expiresAt`: how long it lasts',
  }),
  keepRest: z.boolean().optional().meta({
    description: 'Of a capture: what is left of the hold stays reserved, and is not released',
  }),
  force: z
    .boolean()
    .optional()
    .meta({
      description:
        'Staff: a reversal may bring a wallet below zero; a debit or a hold may pass spending limits, ' +
        'never what is available',
    }),
};

/** What a client sends of one transaction. */
type ItemBody = {
  readonly operation: Operation;
  readonly user?: string | undefined;
  readonly currency?: string | undefined;
  readonly amount?: string | number | undefined;
  readonly parentId?: string | undefined;
  readonly description?: string | undefined;
  readonly merchant?: string | undefined;
  readonly toUserId?: string | undefined;
  readonly via?: string | undefined;
  readonly reference?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly expiresAt?: string | undefined;
  readonly expiresInSeconds?: number | undefined;
  readonly keepRest?: boolean | undefined;
  readonly force?: boolean | undefined;
};

/** An item of the wire. It takes its currency from its parent, unless it has an amount. */
export function toItem(
  body: ItemBody,
  key: string,
  defaultCurrency: string,
): Found<NonNullable<Parameters<typeof CreateTransactionRequest.fromPartial>[0]['item']>> {
  const ofCurrency = body.currency ?? (hasParent(body.operation) ? '' : defaultCurrency);
  if (ofCurrency === '' && body.amount !== undefined) {
    const message = `currency is required for a ${body.operation} that has an amount`;
    return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'currency' }) };
  }
  const minor = amountOf(body.amount, ofCurrency);
  if (!minor.ok) return minor;
  const expiresAt = timeOf(body.expiresAt, 'expiresAt');
  if (!expiresAt.ok) return expiresAt;
  const { expiresInSeconds } = body;
  return found({
    userId: body.user ?? '',
    currency: ofCurrency,
    operation: operationNumbers[body.operation],
    amountMinor: minor.value,
    parentId: body.parentId === undefined ? undefined : canonicalUuid(body.parentId),
    description: body.description,
    merchant: body.merchant,
    toUserId: body.toUserId === undefined ? undefined : canonicalUuid(body.toUserId),
    via: body.via,
    reference: body.reference,
    metadata: { ...body.metadata },
    expiresAt: expiresAt.value,
    expiresInSeconds: expiresInSeconds === undefined ? undefined : BigInt(expiresInSeconds),
    keepRest: body.keepRest,
    force: body.force,
    idempotencyKey: key,
  });
}
