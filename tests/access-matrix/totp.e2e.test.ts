import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { roles } from '../../core/roles.ts';
import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Outcome } from '../support/grpc/any-call.ts';
import { queryService } from '../support/ledger/ledger.ts';
import { appCode, wrongCode } from '../support/auth/totp.ts';
import { password } from '../support/processes/world.ts';
import { admissionReasons, checkAtAdmission } from './callers.ts';
import { setStage, type Person, type Stage } from './people.ts';
import { plainRequests } from './requests.ts';
import { rpcs } from './rpcs.ts';
import {
  castRole,
  createCall,
  enrolPerson,
  expectWithTotp,
  type EnrolledPerson,
  type Mode,
  type TotpCaller,
} from './totp-callers.ts';

let stage: Stage;
let callers: readonly TotpCaller[];
let ana: Person;
let plain: Person;
let enrolled: EnrolledPerson;
const counts = { admission: 0, signIn: 0 };

beforeAll(async () => {
  stage = await setStage();
  ana = await stage.person('ana', 'customer');
  plain = await stage.person('paul', 'operator');
  enrolled = await enrolPerson(createCall(stage), await stage.person('eva', 'operator'));
  callers = (await Promise.all(roles.map((role) => castRole(stage, role)))).flat();
});

afterAll(async () => {
  console.info(
    `access matrix, second factor: ${counts.admission + counts.signIn} cells: ${counts.admission} at admission ` +
      `(${rpcs.length} RPCs, ${callers.length} callers, 2 modes), ${counts.signIn} of sign-in`,
  );
  await stage.dispose();
});

/** The same daemon, data, tokens and keys, with another STAFF_TOTP. */
async function restart(mode: Mode): Promise<void> {
  await stage.world.stop();
  const file = join(stage.world.folder, 'service-credential');
  const env = { WALLETD_SERVICE_CREDENTIAL_FILE: file, LOG_LEVEL: 'warn', STAFF_TOTP: mode };
  await stage.world.start(env);
}

const isAtGate = (outcome: Outcome): boolean =>
  admissionReasons.has(outcome.reason) || outcome.reason === 'TOTP_ENROLMENT_REQUIRED';

async function evaluate(name: string, caller: TotpCaller, mode: Mode): Promise<string | undefined> {
  const { right, definition } = rpcs.find((one) => one.name === name)!;
  const userId = caller.as === 'customer' || right === 'public' ? '' : ana.userId;
  // Of themselves: users who must enrol cannot look up other users.
  const isSelf = name === 'auth.getUser' && !caller.isKey && !caller.hasTotp;
  const ground = { userId: isSelf ? '' : userId, validToken: ana.accessToken };
  const request = plainRequests[name]!(ground);
  const outcome = await stage.call(definition, request, await caller.authorization());
  counts.admission += 1;
  const expected = expectWithTotp(right, caller, mode);
  const fault =
    expected === 'in' && isAtGate(outcome)
      ? `${outcome.reason} instead of admitted`
      : checkAtAdmission(outcome, expected);
  return fault && `${caller.name}: ${fault}`;
}

/** All but the one that ends the session that it is called with. */
const repeatable = rpcs.filter(({ name }) => name !== 'auth.signOut');

describe.each(['optional', 'required'] as const)('with STAFF_TOTP=%s', (mode) => {
  beforeAll(() => restart(mode));

  it.each(repeatable)(
    '$name admits callers by their second factor, and refuses all others',
    async ({ name }) => {
      const evaluated = await Promise.all(callers.map((caller) => evaluate(name, caller, mode)));
      expect(evaluated.filter((fault) => fault !== undefined)).toEqual([]);
    },
  );

  it.each([false, true])(
    'sign-in (browser: %s) asks for the second factor only after a correct password',
    async (browser) => {
      // With the failed attempts, for which sign-ins would wait.
      const forget = `UPDATE totp_secrets SET last_step = NULL, failed_at_ms = '{}';
        DELETE FROM attempts`;
      const codes = [
        [undefined, 'TOTP_REQUIRED'],
        [wrongCode(enrolled.secret), 'TOTP_INVALID'],
        ['0000-0000-0000-0000-0000-0000', 'TOTP_INVALID'],
        [appCode(enrolled.secret), ''],
        [enrolled.recoveryCodes[(mode === 'optional' ? 0 : 1) + (browser ? 2 : 0)], ''],
      ] as const;
      const faults: string[] = [];
      for (const [totpCode, reason] of codes) {
        await queryService(stage.world.dataDir, 'auth', forget);
        for (const who of [plain, enrolled]) {
          for (const typed of ['not the password', password]) {
            const asked = { email: who.email, password: typed, client: '', deviceToken: '' };
            const request = { ...asked, browser };
            const outcome = await createCall(stage)(rpc.signIn, { ...request, totpCode });
            const ofRight = who === plain ? '' : reason;
            const expected = typed === password ? ofRight : 'CREDENTIALS_INVALID';
            counts.signIn += 1;
            if (outcome.reason === expected) continue;
            faults.push(`${who.name}, ${String(totpCode)}: ${outcome.reason || 'admitted'}`);
          }
        }
      }
      expect(faults).toEqual([]);
    },
  );
});

describe('sign-out, with STAFF_TOTP=required', () => {
  const signOut = rpcs.filter(({ name }) => name === 'auth.signOut');
  it.each(signOut)('$name admits staff without a second factor too', async ({ name }) => {
    const evaluated = await Promise.all(
      callers.map((caller) => evaluate(name, caller, 'required')),
    );
    expect(evaluated.filter((fault) => fault !== undefined)).toEqual([]);
  });
});
