/**
 * Loaded into a server that another program has started and means to stop. When that one is gone, however it ended, its end of
 * the pipe is closed: then the server stops in good order.
 */
process.stdin.on('close', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.resume();
