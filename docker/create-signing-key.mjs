import { generateKeyPairSync } from 'node:crypto';
import { existsSync, linkSync, unlinkSync, writeFileSync } from 'node:fs';

// Makes the key that signs access tokens, unless there is one already.
const file = process.argv[2];
if (!file) throw new Error('usage: create-signing-key.mjs FILE');
if (existsSync(file)) {
  console.log(`${file} is there already`);
} else {
  const { privateKey } = generateKeyPairSync('ed25519');
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
    flush: true,
  });
  // Appears whole or not at all, and never over another.
  linkSync(draft, file);
  unlinkSync(draft);
  console.log(`${file} is made`);
}
