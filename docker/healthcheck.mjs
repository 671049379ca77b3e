import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

// Asks the walletd of this container how it is: exit code 0 if it serves, 1 otherwise.
const listen = process.env.WALLETD_LISTEN || '127.0.0.1:50051';
const address = listen.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:');
const Health = makeGenericClientConstructor(service, 'Health');
const client = new Health(address, credentials.createInsecure());
client.check({ service: '' }, { deadline: Date.now() + 4_000 }, (error, answer) => {
  const isServing = answer?.status === 'SERVING';
  console.log(error ? error.message : answer.status);
  process.exit(isServing ? 0 : 1);
});
