import { randomUUID } from 'node:crypto';

import type { Context } from '../../context.ts';
import { accountOf } from '../../credentials/records.ts';
import { settle } from './settle.ts';
import { ok, problem, skipped, toProblem, type Finding } from './finding.ts';

/** Whether tokens can be kept: in the keychain, or in files where that was chosen. */
export async function checkStorage(context: Context): Promise<readonly Finding[]> {
  const { environment, settings, account, accounts } = context;
  if (environment.token !== undefined) {
    return [skipped('keychain', 'not used: the credential comes from WALLET_TOKEN')];
  }
  const record = await accounts.find(account).catch(() => undefined);
  const isFile = record ? record.storage === 'file' : settings.isInsecureStorageAllowed;
  return [isFile ? await checkFile(context) : await checkKeychain(context)];
}

async function checkFile({ storageOf, account }: Context): Promise<Finding> {
  const loaded = await settle(storageOf('file').load(account));
  if (!loaded.ok) return toProblem('keychain', loaded);
  const message = 'not used: tokens are in plain files, which only you can read';
  return ok('keychain', message, { details: { storage: 'file' } });
}

/** Writes, reads and removes an entry of its own. */
async function checkKeychain({ storageOf, profile }: Context): Promise<Finding> {
  const keychain = storageOf('keychain');
  const account = accountOf(profile, `doctor-${randomUUID()}`);
  const secret = randomUUID();
  const saved = await settle(keychain.save(account, secret));
  if (!saved.ok) return toProblem('keychain', saved);
  const loaded = await settle(keychain.load(account));
  const removed = await settle(keychain.remove(account));
  if (!loaded.ok) return toProblem('keychain', loaded);
  if (loaded.value !== secret) {
    const message = 'the keychain does not return what was written: it may be locked';
    const fix = 'unlock it, or keep tokens in files: wallet sign-in --insecure-storage';
    return problem('keychain', message, { fix });
  }
  if (!removed.ok) return toProblem('keychain', removed);
  const message = 'an entry was written, read and removed';
  return ok('keychain', message, { details: { storage: 'keychain' } });
}
