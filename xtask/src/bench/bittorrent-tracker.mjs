// The tracker of the npm package `bittorrent-tracker`, for browsers alone, on a port of this host.

import Server from "bittorrent-tracker/server";

const server = new Server({ udp: false, http: true, ws: true, stats: false });
server.on("error", (error) => { throw error; });
server.listen(Number(process.argv[2]), "127.0.0.1");
