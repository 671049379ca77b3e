import { policies as authPolicies } from '../../daemon/auth/policy.ts';
import type { Policy } from '../../daemon/platform/access/access.ts';
import { policies as statementPolicies } from '../../daemon/statement/policy.ts';
import { policies as walletPolicies } from '../../daemon/wallet/policy.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { StatementServiceService } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AnyMethod } from '../support/grpc/any-call.ts';
import { readRight, rights } from './rights.ts';

export type Rpc = {
  /** `auth.signUp`: the service and the method, as `rights` has them. */
  readonly name: string;
  readonly definition: AnyMethod;
  /** Who may call it, by `rights`. */
  readonly right: Policy;
  /** Who may call it, by the service's own policy.ts. */
  readonly policy: Policy | undefined;
};

const services = {
  auth: { definition: AuthServiceService, policies: authPolicies },
  wallet: { definition: WalletServiceService, policies: walletPolicies },
  statement: { definition: StatementServiceService, policies: statementPolicies },
} as const;

/** Every RPC that the three services define. One that `rights` does not know fails here. */
export const rpcs: readonly Rpc[] = Object.entries(services).flatMap(([service, of]) =>
  Object.entries(of.definition).map(([method, definition]): Rpc => {
    const texts: Readonly<Record<string, string>> = rights[service as keyof typeof rights];
    const text = texts[method];
    if (text === undefined) throw new Error(`rights.ts says nothing of ${service}.${method}`);
    const policies: Readonly<Record<string, Policy>> = of.policies;
    return {
      name: `${service}.${method}`,
      definition: definition as AnyMethod,
      right: readRight(text),
      policy: policies[method],
    };
  }),
);
