#!/usr/bin/env node
import { runProgram } from './program.ts';

// Whoever reads our output may stop reading: `trefoil sessions | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`trefoil: the output can't be written: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

process.exitCode = await runProgram(process.argv);
