import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// Each client calls `connect` in its own way: with threads or an event loop, by C's library or without, for IPv4
/// sockets or for IPv6 ones and mapped addresses. In a container devrun cannot reach their sockets, and puts others in place;
/// that does not do for those that register a socket with epoll before they connect it (nginx, SwiftNIO).
@Suite("Clients", .sharingTheMachine)
struct ClientTests {
  @Test(
    .enabled(if: isInstalled("curl"), "curl is not installed"), arguments: TestUser.available, Surroundings.available)
  func `curl reaches a service by its name and reports a refused connection`(
    user: TestUser, surroundings: Surroundings
  ) async throws {
    let services = try ServiceFixture(http: true)
    let reached = try await services.run(
      ["curl", "--silent", "--show-error", "http://myapp1/"], as: user, in: surroundings)
    #expect(reached.output == "hello\n")
    #expect(reached.errors == "" && reached.status == .exited(0))
    let refused = try await services.run(
      ["curl", "--silent", "--show-error", "http://refused/"], as: user, in: surroundings)
    #expect(refused.status == .exited(7), "curl's status for \"failed to connect\"")
    #expect(services.server.accepted == 1)
  }

  @Test(arguments: TestUser.available)
  func `A SwiftNIO client reaches a service and reports a refused connection`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let client = LaunchFixture.built("NIOClient")
    let reached = try await services.run([client, "myapp1", "80"], as: user)
    #expect(reached.output == "hello\n" && reached.errors == "" && reached.status == .exited(0))
    let refused = try await services.run([client, "refused", "80"], as: user)
    #expect(refused.output == "refused\n" && refused.errors == "" && refused.status == .exited(0))
    #expect(services.server.accepted == 1)
  }

  @Test(
    .enabled(if: isInstalled("node"), "node is not installed"), arguments: TestUser.available, Surroundings.available)
  func `A Node.js client reaches a service and reports a refused connection`(
    user: TestUser, surroundings: Surroundings
  ) async throws {
    let services = try ServiceFixture(http: true)
    let program = """
      const http = require('http'), net = require('net')
      http.get('http://myapp1/', response => {
        response.on('data', data => process.stdout.write(data))
        response.on('end', () => net.connect(80, 'refused').on('error', error => console.log(error.code)))
      })
      """
    let outcome = try await services.run(["node", "-e", program], as: user, in: surroundings)
    #expect(outcome.output == "hello\nECONNREFUSED\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
  }

  @Test(
    .enabled(if: isInstalled("nginx") && isInstalled("curl"), "nginx or curl is not installed"),
    arguments: TestUser.available)
  func `nginx forwards requests to a service and answers 502 for a refused one`(user: TestUser) async throws {
    let services = try ServiceFixture(http: true)
    let folder = services.launches.folder.path
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(folder)/\($0);" }.joined(separator: " ")
    let configuration = try services.launches.write(
      "nginx.conf",
      """
      worker_processes 1;
      pid \(folder)/nginx.pid;
      events {}
      http {
        access_log off;
        \(temporary)
        server {
          listen unix:\(folder)/nginx.sock;
          location /good { proxy_pass http://myapp1/; }
          location /bad { proxy_pass http://refused/; }
        }
      }
      """)
    // It goes to the background once it listens.
    let outcome = try await services.run(
      [
        "sh", "-c",
        """
        nginx -e \(folder)/error.log -c \(configuration)
        for page in good bad; do
          curl --silent --unix-socket \(folder)/nginx.sock --output \(folder)/$page --write-out '%{http_code}\\n' \
            http://localhost/$page
        done
        cat \(folder)/good
        nginx -e \(folder)/error.log -c \(configuration) -s stop
        """,
      ], as: user)
    #expect(outcome.output == "200\n502\nhello\n")
    #expect(services.server.accepted == 1)
  }

  @Test(.enabled(if: isInstalled("go"), "go is not installed"))
  func `A Go client that calls the kernel itself reaches a service and reports a refusal`() async throws {
    let services = try ServiceFixture()
    let folder = services.launches.folder.path
    let source = try services.launches.write(
      "client.go",
      """
      package main

      import (
        "errors"
        "fmt"
        "io"
        "net"
        "syscall"
      )

      func main() {
        connection, err := net.Dial("tcp", "myapp1:80")
        if err != nil {
          panic(err)
        }
        text, _ := io.ReadAll(connection)
        fmt.Print(string(text))
        _, err = net.Dial("tcp", "refused:80")
        fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
      }
      """)
    let variables = ["CGO_ENABLED=0", "HOME=\(folder)", "GOCACHE=\(folder)/cache", "GO111MODULE=off"]
    try await TestProcess.run(["env"] + variables + ["go", "build", "-o", "\(folder)/client", source])
    for user in TestUser.available {
      for surroundings in Surroundings.available {
        let outcome = try await services.run(["\(folder)/client"], as: user, in: surroundings)
        #expect(outcome.output == "hello\ntrue\n", "as \(user), \(surroundings)")
        #expect(outcome.errors == "" && outcome.status == .exited(0))
      }
    }
  }

  @Test(
    .enabled(if: isInstalled("javac"), "no JDK is installed"), arguments: TestUser.available, Surroundings.available)
  func `A Java client reaches a service and reports a refusal, with sockets and with channels`(
    user: TestUser, surroundings: Surroundings
  ) async throws {
    let services = try ServiceFixture()
    let source = try services.launches.write(
      "Client.java",
      """
      import java.net.*;
      import java.nio.ByteBuffer;
      import java.nio.channels.*;

      public class Client {
        static boolean connect(SocketChannel channel, String name) throws Exception {
          channel.configureBlocking(false);
          if (channel.connect(new InetSocketAddress(name, 80))) return true;
          Selector selector = Selector.open();
          channel.register(selector, SelectionKey.OP_CONNECT);
          selector.select();
          boolean connected = channel.finishConnect();
          selector.close();
          return connected;
        }

        public static void main(String[] arguments) throws Exception {
          try (Socket socket = new Socket("myapp1", 80)) {
            System.out.print(new String(socket.getInputStream().readAllBytes()));
          }
          try (SocketChannel channel = SocketChannel.open()) {
            System.out.println(connect(channel, "myapp1"));
            channel.configureBlocking(true);
            ByteBuffer text = ByteBuffer.allocate(6);
            while (text.hasRemaining() && channel.read(text) >= 0) {}
            System.out.print(new String(text.array()));
          }
          try (Socket socket = new Socket("refused", 80)) {
          } catch (ConnectException refused) {
            System.out.println("refused");
          }
          try (SocketChannel channel = SocketChannel.open()) {
            connect(channel, "refused");
          } catch (ConnectException refused) {
            System.out.println("refused");
          }
        }
      }
      """)
    let outcome = try await services.run(["java", source], as: user, in: surroundings)
    #expect(outcome.output == "hello\ntrue\nhello\nrefused\nrefused\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    #expect(services.server.accepted == 2)
  }
}
