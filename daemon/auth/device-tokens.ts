import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export type DeviceTokens = {
  /** A token for whoever has just signed in to the account with this address. */
  issue(address: string): string;
  /** The device that a token stands for; undefined if it is no token of ours for this account. */
  read(token: string, address: string): string | undefined;
};

/**
 * Tokens by which a sign-in shows that the same device signed in before (OWASP, "device cookies").
 * They open nothing: wrong passwords from a device count against the device alone. The text is a
 * number, and an HMAC of that and of the address; nothing is stored.
 */
export function createDeviceTokens(secret: Buffer): DeviceTokens {
  const sign = (deviceId: string, address: string): Buffer =>
    createHmac('sha256', secret).update(`${deviceId}:${address}`).digest();
  return {
    issue: (address) => {
      const deviceId = randomBytes(16).toString('base64url');
      return `dwd_${deviceId}_${sign(deviceId, address).toString('base64url')}`;
    },
    read: (token, address) => {
      const match = /^dwd_([\w-]{22})_([\w-]{43})$/.exec(token);
      const [deviceId, mac] = [match?.[1], match?.[2]];
      if (deviceId === undefined || mac === undefined) return undefined;
      const isOurs = timingSafeEqual(Buffer.from(mac, 'base64url'), sign(deviceId, address));
      return isOurs ? deviceId : undefined;
    },
  };
}
