import type { Options } from '../../config/options.js';
import { readPem } from '../../config/pem.js';
import type { GrpcTls } from './engine.js';

/** Reads the PEM files that the flags name. Throws INVALID_ARGUMENT that names the flag and the file. */
export function readTls(options: Options): GrpcTls {
  const { grpcServerCert, grpcServerKey, grpcRootCert, grpcUseSslMutual } = options;
  return {
    cert: readPem('--grpc-server-cert', grpcServerCert),
    key: readPem('--grpc-server-key', grpcServerKey),
    root: grpcRootCert === '' ? null : readPem('--grpc-root-cert', grpcRootCert),
    mutual: grpcUseSslMutual,
  };
}
