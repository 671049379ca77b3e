import type { Config } from '../config/config.ts';
import type { Fault, Outcome } from '../fault.ts';
import { chooseAccount, findSecretReader } from '../host/account.ts';
import { findUrlFault } from '../platform/db/connection/connect.ts';
import {
  findKeyFileFault,
  findSigningFault,
  readServiceCredential,
  readSmtpCa,
} from '../config/secrets.ts';
import { findTlsFault } from '../config/tls-files.ts';

/**
 * What is wrong with the files and users that a configuration names; starts and changes nothing.
 */
export async function checkConfig(config: Config): Promise<Fault[]> {
  const reader = await findSecretReader(config);
  const found = [
    config.user === undefined ? undefined : faultOf(await chooseAccount(config)),
    await findTlsFault(config.tlsFiles, { reader }),
    await findKeyFileFault(config, reader),
    await findSigningFault(config),
    faultOf(await readServiceCredential(config)),
    faultOf(await readSmtpCa(config)),
    ...listUrls(config).map(findUrlFault),
  ];
  const byText = new Map(found.flatMap((fault) => (fault ? [[fault.fault, fault]] : [])));
  return [...byText.values()];
}

const faultOf = (outcome: Outcome<unknown>): Fault | undefined =>
  outcome.ok ? undefined : outcome.fault;

const listUrls = ({ databases }: Config): string[] =>
  Object.values(databases ?? {}).flatMap(({ url, ownerUrl }) => [url, ownerUrl]);
