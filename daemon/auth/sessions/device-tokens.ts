import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import { sql, type Db, type Tx } from '../../platform/db/db.ts';

export type DeviceTokens = {
  /** A token for the client that has just signed in to the account with this address. */
  issue(address: string, epoch: number): string;
  /**
   * The device that a token stands for, and the epoch of the account that it was given in;
   * undefined if it is no token of ours for this account.
   */
  read(
    token: string,
    address: string,
  ): { readonly deviceId: string; readonly epoch: number } | undefined;
};

/**
 * Tokens by which a sign-in shows that the same device signed in before (OWASP, "device cookies").
 * They open nothing: wrong passwords from a device count against the device alone. The text is a
 * random number, the epoch of the account, and an HMAC of both and of the address; nothing is
 * stored.
 */
export function createDeviceTokens(secret: Buffer): DeviceTokens {
  const sign = (deviceId: string, epoch: number, address: string): Buffer =>
    createHmac('sha256', secret).update(`${deviceId}:${epoch}:${address}`).digest();
  return {
    issue: (address, epoch) => {
      const deviceId = randomBytes(16).toString('base64url');
      return `dwd_${deviceId}_${epoch}_${sign(deviceId, epoch, address).toString('base64url')}`;
    },
    read: (token, address) => {
      const match = /^dwd_([\w-]{22})_(\d{1,9})_([\w-]{43})$/.exec(token);
      const [deviceId, epochText, mac] = [match?.[1], match?.[2], match?.[3]];
      if (deviceId === undefined || mac === undefined) return undefined;
      const epoch = Number(epochText);
      const isOurs = timingSafeEqual(Buffer.from(mac, 'base64url'), sign(deviceId, epoch, address));
      return isOurs ? { deviceId, epoch } : undefined;
    },
  };
}

const epochSql = sql('user_device_epoch', 'SELECT device_epoch FROM users WHERE email = $1');

async function findEpoch(tx: Tx, address: string): Promise<number | undefined> {
  const rows = await tx.query<{ device_epoch: number }>(epochSql, [address]);
  return rows[0]?.device_epoch;
}

/**
 * The device that signed in before, unless its token is void: a reset of the password, or the end
 * of all sign-ins, begins a new epoch. The database is asked for tokens of ours only.
 */
export async function findDevice(
  { db, devices }: { readonly db: Db; readonly devices: DeviceTokens },
  token: string,
  address: string | undefined,
): Promise<string | undefined> {
  const read = address === undefined ? undefined : devices.read(token, address);
  if (!read || address === undefined) return undefined;
  const epoch = await db.read((tx) => findEpoch(tx, address));
  return read.epoch === epoch ? read.deviceId : undefined;
}

/** A token of the account as it is now; the caller holds the lock of the user. */
export async function issueDeviceToken(
  tx: Tx,
  devices: DeviceTokens,
  { email }: { readonly email: string },
): Promise<string> {
  return devices.issue(email, (await findEpoch(tx, email)) ?? 0);
}
