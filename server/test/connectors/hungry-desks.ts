import http from 'node:http'
import net from 'node:net'
import { parentPort } from 'node:worker_threads'

/**
 * Runs in a thread of its own: a mail server and a webhook that take a message as fast as it comes and keep
 * nothing, so that the sender alone decides how long it works without a pause.
 */

const mail = net.createServer((socket) => {
  let end: string | null = null
  socket.on('error', () => {})
  socket.write('220 ready\r\n')
  socket.on('data', (chunk) => {
    if (end === null) {
      const data = /^DATA\r\n/im.test(chunk.toString('latin1'))
      if (data) end = ''
      socket.write(data ? '354 go on\r\n' : '250 ok\r\n')
      return
    }
    end = (end + chunk.toString('latin1', Math.max(0, chunk.length - 5))).slice(-5)
    if (end !== '\r\n.\r\n') return
    end = null
    socket.write('250 taken\r\n')
  })
})

const hook = http.createServer((request, response) => {
  request.resume().on('end', () => response.end())
})

function listen(server: net.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

parentPort?.postMessage({ mail: await listen(mail), hook: await listen(hook) })
