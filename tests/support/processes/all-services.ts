import { randomBytes } from 'node:crypto';

import { operations } from '../../../core/operations.ts';
import { createAuth, generateSigningKey } from '../../../daemon/auth/index.ts';
import { createAccess } from '../../../daemon/platform/access/access.ts';
import { createKeyVerifier } from '../../../daemon/platform/access/api-keys.ts';
import { createLocalBroker } from '../../../daemon/platform/broker/local.ts';
import { createGrpcServer, type GrpcServer } from '../../../daemon/platform/grpc/server.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { unwatched } from '../../../daemon/platform/progress/watch.ts';
import { createRevocations } from '../../../daemon/platform/access/revocations.ts';
import { createTokenVerifier } from '../../../daemon/platform/access/tokens.ts';
import { createAuthPeer, createWalletPeer } from '../../../daemon/peers.ts';
import { createHostedCaller } from '../../../daemon/peer-clients.ts';
import { createStatement } from '../../../daemon/statement/index.ts';
import { createWallet } from '../../../daemon/wallet/index.ts';
import { createTestDatabase, type TestDatabase } from '../postgres/database.ts';

/** All three services in this process, composed as in the daemon. */
export type AllServices = {
  readonly address: string;
  readonly server: GrpcServer;
  readonly serviceCredential: string;
  readonly databases: Readonly<Record<'auth' | 'wallet' | 'statement', TestDatabase>>;
  stop(): Promise<void>;
};

export async function startAllServices(isFastPathOn = true): Promise<AllServices> {
  const databases = {
    auth: await createTestDatabase('auth'),
    wallet: await createTestDatabase('wallet'),
    statement: await createTestDatabase('statement'),
  };
  const log = createLog('silent');
  const serviceCredential = randomBytes(32).toString('base64url');
  const hosted = createHostedCaller();
  const authPeer = createAuthPeer(hosted.caller);
  const walletPeer = createWalletPeer(hosted.caller);
  const revocations = createRevocations({ feed: authPeer.feed, log });
  const { nowMs } = revocations;
  const tokens = createTokenVerifier({ fetchJwks: authPeer.fetchJwks, nowMs });
  const keys = createKeyVerifier({ ask: authPeer.verifyKey, revocations, nowMs });
  const verifiers = { tokens, keys, revocations, isStaffTotpRequired: false };
  const access = createAccess({ ...verifiers, serviceCredential });
  const broker = createLocalBroker();
  const auth = await createAuth({
    ...{ db: databases.auth.db, feedDb: databases.auth.db, revocations, log },
    validateToken: access.validateToken,
    config: {
      ...{ isSignUpOpen: true, isSignUpLocal: false, isStaffTotpRequired: false },
      ...{ signingKeyPem: generateSigningKey(), previousKeyPem: undefined },
    },
  });
  if (!auth.ok) throw new Error(auth.problem);
  const all = new Set(operations);
  const wallet = createWallet({
    ...{ db: databases.wallet.db, commitDb: databases.wallet.db, broker, log, watch: unwatched },
    peers: { findUsers: authPeer.findUsers },
    config: {
      ...{ queue: 'wallet_queue', amqpOperations: all, outboxLimit: 1_000, maxCommits: 2 },
      ...{ defaultCurrency: 'BRL', selfServiceOperations: all, localOperations: all },
      ...{ defaultLimits: new Map(), isTermsForAdmins: false },
      holdDays: { standard: 7, longest: 30 },
    },
  });
  const statement = createStatement({
    ...{ db: databases.statement.db, workDb: databases.statement.db, broker, log },
    peers: { ...walletPeer, findUser: authPeer.findUser },
    mailer: undefined,
    config: {
      ...{
        defaultCurrency: 'BRL',
        inlineDays: 15,
        exportRetentionDays: 30,
        searchKeys: ['reference'],
      },
      ...{ queue: 'statement_queue', exportQueue: 'statement_export_queue' },
    },
  });
  const services = [auth.value.service, wallet.service, statement.service];
  const server = createGrpcServer({ services, access, log, isFastPathOn });
  hosted.host(server);
  const address = `127.0.0.1:${(await server.listen('127.0.0.1:0')).port}`;
  await revocations.start();
  for (const service of [auth.value, wallet, statement]) service.start();
  await broker.start([...wallet.consumers, ...statement.consumers]);
  return {
    ...{ address, server, serviceCredential, databases },
    stop: async () => {
      await server.stop(1_000);
      revocations.stop();
      for (const service of [statement, wallet, auth.value]) await service.stop();
      await broker.stop();
      for (const database of Object.values(databases)) await database.drop();
    },
  };
}
