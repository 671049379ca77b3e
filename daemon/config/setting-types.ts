import { z } from 'zod';

import { parseBrokerUrls } from '../platform/broker/amqp/broker-urls.ts';
import { parseDatabaseUrl } from '../platform/db/connection/database-url.ts';

export type HostPort = { readonly host: string; readonly port: number };

export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

export const hostPort = z.string().transform((text, context): HostPort => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  context.addIssue({ code: 'custom', message: 'must be HOST:PORT, like 127.0.0.1:50051' });
  return z.NEVER;
});

/** Address of a peer service: `HOST:PORT`, or `https://HOST:PORT` for TLS. */
export type PeerAddress = HostPort & { readonly hasTls: boolean };

export const peerUrl = z.string().transform((text, context): PeerAddress | undefined => {
  if (text === '') return undefined;
  const parsed = hostPort.safeParse(text.replace(/^https:\/\//, ''));
  if (parsed.success) return { ...parsed.data, hasTls: text.startsWith('https://') };
  const message = 'must be HOST:PORT, or https://HOST:PORT for TLS';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

export const postgresUrl = z.string().transform((text, context): string | undefined => {
  if (text === '') return undefined;
  const parsed = parseDatabaseUrl(text);
  if (parsed.ok) return text;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

export const rabbitmqUrl = z.string().transform((text, context): string | undefined => {
  if (text === '') return undefined;
  const parsed = parseBrokerUrls(text);
  if (parsed.ok) return text;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

export const flag = z
  .enum(['', '0', '1'], 'must be 1, 0 or empty')
  .transform((text) => text === '1');

export const optional = z.string().transform((text) => (text === '' ? undefined : text));

export const queueName = z
  .string()
  .regex(/^[\w.-]{1,200}$/, 'must be letters, digits, "_", "." or "-"');
