import { serveOrders } from '../core/limit-child.js';
import { type EchoServer, serveEcho } from '../grpc-echo-servers.js';

/** A bare unary echo: what a transport does with a call when there is no inference. */
serveOrders(async ({ transport }: { readonly transport: EchoServer }) => ({ port: await serveEcho(transport) }));
