import DevrunCore
import DevrunKube
import TestSupport
import Testing

extension Scenarios {
  /// What a command reaches in the cluster, and by which names.
  @Suite("Names")
  struct Names {
    @Test func `A command reaches services and pods by the names that they have in the cluster`() async throws {
      try await Stage.play { stage in
        let session = try await stage.session()
        let full = "peer.\(stage.namespace).svc.cluster.local"
        for name in ["peer", "peer.\(stage.namespace)", "peer.\(stage.namespace).svc", full, "\(full)."] {
          #expect(try await session.answer(of: name) == "the peer", "\(name)")
        }
        #expect(try await session.answer(of: "peer-0.pods:8080") == "the peer")
        #expect(try await session.answer(of: "app") == Stage.clusterAnswer)
        let service = try await stage.client.get(.services(in: stage.namespace).named("peer"))
        let address = try #require(service.spec["clusterIP"]?.string)
        #expect(try await session.answer(of: address) == "the peer")
        try await session.exit()
      }
    }

    @Test func `A port that nothing listens on and a name that nothing has are refused as in the cluster`()
      async throws
    {
      try await Stage.play { stage in
        let session = try await stage.session()
        let refused = try await session.reply(to: "busybox wget -qO- http://peer-0.pods:8081/")
        #expect(refused.status == 1 && refused.text.contains("refused"), "\(refused)")
        let unknown = try await session.reply(to: "busybox wget -qO- http://nobody.\(stage.namespace)/")
        #expect(unknown.status == 1 && unknown.text.contains("bad address"), "\(unknown)")
        try await session.exit()
      }
    }

    @Test func `The documented azds-local.env works`() async throws {
      try await Stage.play { stage in
        let account = "/var/run/secrets/kubernetes.io/serviceaccount"
        try stage.folder.write(
          "work/azds-local.env",
          """
          WHITELIST_PATH=${volumes.whitelist}/whitelist
          KUBERNETES_IN_CLUSTER_CONFIG_OVERWRITE=${volumes.default-token-*|\(account)}
          MYAPP1_SERVICE_HOST=${services.app}
          MYAPP2_SERVICE_HOST=${services.\(stage.namespace).peer}

          """)
        let session = try await stage.session()
        #expect(try await session.output("cat $WHITELIST_PATH") == "10.0.0.1\n10.0.0.2")
        #expect(try await session.output("echo $KUBERNETES_IN_CLUSTER_CONFIG_OVERWRITE") == account)
        #expect(try await session.output("cat \(account)/namespace") == stage.namespace)
        #expect(try await session.output("cat \(account)/token").count > 100)
        #expect(try await session.output("head -n 1 \(account)/ca.crt") == "-----BEGIN CERTIFICATE-----")
        for name in ["$MYAPP1_SERVICE_HOST", "app", "app.svc.cluster.local"] {
          #expect(try await session.answer(of: name) == Stage.clusterAnswer, "\(name)")
        }
        for name in ["$MYAPP2_SERVICE_HOST", "peer.\(stage.namespace)"] {
          #expect(try await session.answer(of: name) == "the peer", "\(name)")
        }
        try await session.exit()
      }
    }
  }
}
