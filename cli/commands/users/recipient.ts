import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { exitCodes, succeed, type Outcome } from '../../outcome.ts';
import { isStaff } from '../money/confirm.ts';
import { identifyActor, readUserName, resolveUser, type KnownUser } from './actor.ts';

/** The option that names who is paid. */
type PayeeField = 'to' | 'sweep_to';

/**
 * Who `--to` means. An id is taken as it is; an e-mail address is looked up by the server, which may
 * answer with a masked one. `needsEmail`: an id is shown with its address, to staff.
 */
export async function resolveRecipient(
  context: Pick<Context, 'caller' | 'credentials'>,
  text: string,
  needsEmail: boolean,
  field: PayeeField = 'to',
): Promise<Outcome<KnownUser>> {
  const named = readUserName(text);
  if (!named.ok) return { ok: false, failure: { ...named.failure, field } };
  const { id, email } = named.value;
  if (id !== undefined) return succeed(await describeId(context, id, needsEmail));
  return resolveAddress(context, email, field);
}

async function describeId(
  context: Pick<Context, 'caller' | 'credentials'>,
  id: string,
  needsEmail: boolean,
): Promise<KnownUser> {
  const nameless = { id, email: undefined };
  if (!needsEmail) return nameless;
  // The server gives customers no address, and a question for one is a denial in the audit log.
  const caller = await identifyActor(context);
  if (!caller.ok || !isStaff(caller.value?.role)) return nameless;
  const found = await resolveUser(context, id, true);
  return found.ok && found.value ? found.value : nameless;
}

async function resolveAddress(
  context: Pick<Context, 'caller' | 'credentials'>,
  email: string,
  field: PayeeField,
): Promise<Outcome<KnownUser>> {
  const found = await findByAddress(context, email);
  if (found.ok) return found;
  const { failure } = found;
  const hint = `name the recipient by id: --${field.replace('_', '-')} USER_ID`;
  if (failure.reason === 'USER_NOT_FOUND' || failure.reason === 'RECIPIENT_NOT_FOUND') {
    return {
      ok: false,
      failure: { ...failure, reason: 'RECIPIENT_NOT_FOUND', field, hint },
    };
  }
  if (failure.exitCode !== exitCodes.notAllowed) return found;
  return { ok: false, failure: { ...failure, field, hint } };
}

/** Staff see users with their addresses; customers find out only whether one can be paid. */
async function findByAddress(
  context: Pick<Context, 'caller' | 'credentials'>,
  email: string,
): Promise<Outcome<KnownUser>> {
  const caller = await identifyActor(context);
  if (!caller.ok) return caller;
  if (isStaff(caller.value?.role)) {
    const found = await resolveUser(context, email, false);
    return found.ok ? succeed(found.value ?? { id: '', email }) : found;
  }
  return resolvePayee(context, email);
}

/** Who can be paid at an e-mail address, which comes back masked. RECIPIENT_NOT_FOUND, THROTTLED. */
export async function resolvePayee(
  { caller }: Pick<Context, 'caller'>,
  email: string,
): Promise<Outcome<KnownUser>> {
  const found = await caller.call(AuthServiceService.resolveRecipient, { email }, 'read');
  return found.ok ? succeed({ id: found.value.userId, email: found.value.maskedEmail }) : found;
}
