// A process of its own for the keychain's native library: it blocks for 50 s on a service that is
// frozen, and can crash. The parent kills it. Secrets come and go over the IPC channel alone.
import type { KeychainAnswer, KeychainRequest } from './credentials/keychain.ts';

process.on('SIGUSR1', () => undefined);

process.once('message', (message) => {
  void answer(message as KeychainRequest).then((result) => {
    process.send?.(result, () => {
      process.disconnect();
    });
  });
});

async function answer(request: KeychainRequest): Promise<KeychainAnswer> {
  try {
    const { default: keytar } = await import('keytar');
    switch (request.action) {
      case 'load':
        return { ok: true, secret: await keytar.getPassword(request.service, request.account) };
      case 'save':
        await keytar.setPassword(request.service, request.account, request.secret);
        return { ok: true, secret: null };
      case 'remove':
        await keytar.deletePassword(request.service, request.account);
        return { ok: true, secret: null };
    }
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}
