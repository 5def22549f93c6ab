// An app that tries to reach another machine: see ../refuse-network.test.ts.
import net from 'node:net';

const inside = net.createServer().listen(0, '127.0.0.1', () => {
  const { port } = inside.address() as net.AddressInfo;
  const local = net.connect(port, '127.0.0.1', () => {
    const outside = net.connect(80, '192.0.2.1');
    outside.once('error', (error: NodeJS.ErrnoException) => process.send?.({ outside: error.code, inside: local.readyState }));
  });
});
