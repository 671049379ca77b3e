/** One RPC, as the generated service definitions describe it. */
export type Method<Request, Response> = {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
};
