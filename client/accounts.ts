import { createList } from './lists.ts';
import type { Sender } from './send.ts';
import type { Client } from './types.ts';

type AccountMethods = Pick<Client, 'account' | 'sessions' | 'users' | 'apiKeys'>;

/** Methods about people and their credentials. None of the writes is sent twice. */
export const createAccountMethods = (sender: Sender): AccountMethods => ({
  account: {
    signUp: (body, options) => sender.call('postSignUp', { body }, options),
    verifyEmail: (body, options) => sender.call('postVerifyEmail', { body }, options),
    signIn: (body, options) => sender.call('postSignIn', { body }, options),
    get: (options) => sender.call('getMe', {}, options),
    changePassword: (body, options) => sender.call('putMePassword', { body }, options),
  },
  sessions: {
    ...createList(sender, 'getSessions'),
    refresh: (refreshToken, options) =>
      sender.call('postSessionsRefresh', { body: { refreshToken } }, options),
    signOut: (options) => sender.call('deleteSessionsCurrent', {}, options),
    revoke: (id, options) => sender.call('deleteSessionsById', { path: { id } }, options),
  },
  users: {
    ...createList(sender, 'getUsers'),
    create: (body, options) => sender.call('postUsers', { body }, options),
    get: (id, options) => sender.call('getUsersById', { path: { id } }, options),
    update: (id, body, options) => sender.call('patchUsersById', { path: { id }, body }, options),
  },
  apiKeys: {
    ...createList(sender, 'getApiKeys'),
    create: (body, options) => sender.call('postApiKeys', { body }, options),
    revoke: (id, options) => sender.call('deleteApiKeysById', { path: { id } }, options),
  },
});
