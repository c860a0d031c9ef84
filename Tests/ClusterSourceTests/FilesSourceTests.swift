import ClusterModel
import FlowModel
import Foundation
import Testing

@testable import ClusterSource

/// Files that appear, change and disappear between polls.
@Suite struct FilesSourceTests {
    private let folder: FilesFolder
    private let observer = FilesObserver()
    private let log = FilesLog()

    init() throws {
        folder = try FilesFolder()
    }

    private func source(_ paths: [String]) -> FileSource {
        FileSource(paths: paths, firstSource: SourceID(rawValue: 7), observer: observer, logger: log.logger)
    }

    /// Pods with an address each.
    private func pods(_ names: String...) -> String {
        names.enumerated().map { index, name in
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), namespace: shop}
            status: {podIP: 10.0.0.\(index + 1)}
            """
        }.joined(separator: "\n---\n")
    }

    private let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"

    // MARK: Start

    @Test func loadsFilesAndFoldersOfPaths() throws {
        try folder.makeFolder("d/deep")
        try folder.write(pods("a"), to: "one.txt")
        try folder.write(pods("b"), to: "d/b.yaml")
        try folder.write(pods("c"), to: "d/c.yml")
        try folder.write(#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}"#, to: "d/d.json")
        try folder.write(pods("x"), to: "d/x.txt")
        try folder.write(pods("x"), to: "d/.x.yaml")
        try folder.write(pods("x"), to: "d/deep/x.yaml")
        let source = source([folder.file("one.txt"), folder.file("d"), folder.file("one.txt")])
        try source.load()
        #expect(observer.names == ["Namespace shop", "Pod shop/a", "Pod shop/b", "Pod shop/c"])
        #expect(observer.objects.values.allSatisfy { $0 == 1 })
        #expect(observer.sources == 4)
        #expect(observer.faults.isEmpty, "\(observer.faults)")
        #expect(log.take() == [])
        #expect(source.statistics.files == 4)
        #expect(source.statistics.objects == 4)
        guard case .pod(let pod)? = observer.object("Pod shop/a").first else {
            Issue.record("no pod")
            return
        }
        #expect(pod.addresses == [try #require(IPAddress("10.0.0.1"))])
    }

    @Test func loadFailsIfAnyFileIsUnusable() throws {
        try folder.write(pods("a"), to: "a.yaml")
        try folder.write("kind: Pod\nmetadata: {", to: "b.yaml")
        let paths = [folder.file("a.yaml"), folder.file("b.yaml"), folder.file("none.yaml")]
        let error = try #require(throws: FileSourceError.self) { try source(paths).load() }
        #expect(error.findings.map(\.place) == [paths[2], "\(paths[1]):2"])
        #expect(error.description.hasPrefix("\(paths[2]): no such file or folder (and 1 more"))
        let one = try #require(throws: FileSourceError.self) { try source([paths[1]]).load() }
        #expect(one.description.hasPrefix("\(paths[1]):2: not YAML: "), "\(one)")
    }

    @Test func warnsAboutEmptyFolder() throws {
        try source([folder.path]).load()
        #expect(log.take().map { $0.prefix(18) } == ["warning: inventory"])
    }

    // MARK: Changes

    @Test func changedFileReplacesItsEarlierObjects() throws {
        let path = try folder.write(namespace + "---\n" + pods("a", "b"), to: "a.yaml")
        let source = source([path])
        try source.load()
        #expect(observer.names == ["Namespace shop", "Pod shop/a", "Pod shop/b"])
        try folder.write(pods("b", "c"), to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/b", "Pod shop/c"])
        #expect(observer.faults.isEmpty, "\(observer.faults)")
        #expect(log.take() == ["info: inventory: file is changed file=\(path) objects=2"])
        // Nothing has changed.
        let changes = observer.changes
        source.poll()
        #expect(observer.changes == changes)
        #expect(log.take() == [])
    }

    @Test func followsFilesAddedToAndRemovedFromFolder() throws {
        let source = source([folder.path])
        try source.load()
        _ = log.take()
        try folder.write(pods("a"), to: "a.yaml")
        try folder.write(pods("b"), to: "b.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/a", "Pod shop/b"])
        #expect(observer.sources == 2)
        try folder.remove("a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/b"])
        try folder.write(pods("c"), to: "c.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/b", "Pod shop/c"])
        try folder.remove("b.yaml")
        try folder.remove("c.yaml")
        source.poll()
        #expect(observer.names == [])
        #expect(observer.faults.isEmpty, "\(observer.faults)")
        #expect(log.take().count { $0.contains("file was removed") } == 3)
        #expect(source.statistics == FileStatistics())
    }

    @Test func readsNamedFileThatReappears() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        try folder.remove("a.yaml")
        source.poll()
        #expect(observer.names == [])
        try folder.write(pods("a", "b"), to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/a", "Pod shop/b"])
    }

    /// The new file has the same size and modification time; only its inode differs.
    @Test func rereadsReplacedFileOfSameSizeAndTime() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let date = try #require(attributes[.modificationDate] as? Date)
        try folder.write(pods("b"), to: "new")
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: folder.file("new"))
        try #require(rename(folder.file("new"), path) == 0)
        source.poll()
        #expect(observer.names == ["Pod shop/b"])
    }

    /// The steps of kubelet with the files of a ConfigMap.
    @Test func followsSwappedSymbolicLink() throws {
        try folder.makeFolder("..1")
        try folder.makeFolder("..2")
        try folder.write(pods("a"), to: "..1/pods.yaml")
        try folder.write(pods("b"), to: "..2/pods.yaml")
        try folder.write(namespace, to: "..2/more.yaml")
        try folder.link("..data", to: "..1")
        try folder.link("pods.yaml", to: "..data/pods.yaml")
        let source = source([folder.path])
        try source.load()
        #expect(observer.names == ["Pod shop/a"])
        try folder.link("..data", to: "..2")
        try folder.link("more.yaml", to: "..data/more.yaml")
        source.poll()
        #expect(observer.names == ["Namespace shop", "Pod shop/b"])
        // A dangling link counts as no file.
        try folder.link("..data", to: "..3")
        source.poll()
        #expect(observer.names == [])
    }

    // MARK: Broken files

    @Test func brokenFileKeepsItsObjectsAndIsReportedOnce() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        try folder.write(pods("b") + "\n  x: [", to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/a"])
        #expect(source.statistics.brokenFiles == 1)
        source.poll()
        source.poll()
        let messages = log.take()
        #expect(messages.count == 1)
        #expect(messages.first?.hasPrefix("error: inventory: file cannot be used; its earlier objects stay") == true)
        #expect(messages.first?.contains("file=\(path):5 reason=not YAML: ") == true, "\(messages)")
        try folder.write(pods("b"), to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/b"])
        #expect(source.statistics.brokenFiles == 0)
        #expect(log.take() == ["info: inventory: file is good again file=\(path) objects=1"])
    }

    @Test func delaysReportOfBrokenFileThatGrows() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        for size in 1...10 {
            try folder.write("a: [" + String(repeating: "x, ", count: size), to: "a.yaml")
            source.poll()
        }
        #expect(log.take() == [])
        #expect(observer.names == ["Pod shop/a"])
        // The file never becomes valid.
        for size in 11...70 {
            try folder.write("a: [" + String(repeating: "x, ", count: size), to: "a.yaml")
            source.poll()
        }
        #expect(log.take().count == 3)
        try folder.write(pods("a", "b"), to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/a", "Pod shop/b"])
    }

    /// The state when `kubectl get … > file` has just begun.
    @Test func emptiedFileKeepsItsObjects() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        try folder.write("", to: "a.yaml")
        source.poll()
        source.poll()
        #expect(observer.names == ["Pod shop/a"])
        #expect(log.take().first?.contains("the file is empty") == true)
        try folder.write("{apiVersion: v1, kind: List, items: []}", to: "a.yaml")
        source.poll()
        #expect(observer.names == [])
        try folder.write("", to: "a.yaml")
        source.poll()
        #expect(source.statistics.brokenFiles == 0)
    }

    @Test func unreadableFileKeepsItsObjects() throws {
        let path = try folder.write(pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        // Root may read everything: something that cannot be opened takes the file's place.
        try folder.remove("a.yaml")
        try #require(mkfifo(path, 0o600) == 0)
        source.poll()
        source.poll()
        #expect(observer.names == ["Pod shop/a"])
        #expect(log.take().count == 1)
        try folder.remove("a.yaml")
        try folder.write(pods("b"), to: "a.yaml")
        source.poll()
        #expect(observer.names == ["Pod shop/b"])
    }

    // MARK: Objects

    @Test func reportsUnusableObjectOnceAndUsesOthers() throws {
        let bad = "{apiVersion: v1, kind: Pod, metadata: {namespace: shop}}\n---\n"
        let path = try folder.write(bad + pods("a"), to: "a.yaml")
        let source = source([path])
        try source.load()
        #expect(observer.names == ["Pod shop/a"])
        #expect(source.statistics.unusableObjects == 1)
        let messages = log.take()
        #expect(messages.count == 1)
        #expect(
            messages.first?.hasPrefix("warning: inventory: object cannot be used file=\(path):1 ") == true,
            "\(messages)"
        )
        try folder.write("# \n" + bad + pods("a", "b"), to: "a.yaml")
        source.poll()
        #expect(log.take() == ["info: inventory: file is changed file=\(path) objects=2"])
        #expect(observer.names == ["Pod shop/a", "Pod shop/b"])
    }

    @Test func limitsLogMessagesPerFile() throws {
        let bad = (1...500).map { "{apiVersion: v1, kind: Pod, metadata: {namespace: n\($0)}}\n" }.joined(
            separator: "---\n"
        )
        let path = try folder.write(bad, to: "a.yaml")
        try source([path]).load()
        let messages = log.take()
        #expect(messages.count == 11)
        #expect(messages.last?.contains("findings=490") == true, "\(messages.last ?? "")")
    }

    @Test func reportsDuplicateObjectWithBothPlaces() throws {
        let one = try folder.write(pods("a", "b", "a"), to: "a.yaml")
        let two = try folder.write(namespace + "---\n" + pods("b"), to: "b.yaml")
        let source = source([folder.path])
        try source.load()
        let messages = log.take()
        #expect(messages.count == 2)
        #expect(messages.first?.contains("file=\(one):11 reason=Pod shop/a: defined twice") == true, "\(messages)")
        #expect(messages.first?.contains("\(one):1") == true, "\(messages)")
        #expect(messages.last?.contains("file=\(two):3 reason=Pod shop/b: defined twice") == true, "\(messages)")
        #expect(messages.last?.contains("\(one):6") == true, "\(messages)")
        // The other file still defines the object, so it stays.
        try folder.remove("a.yaml")
        source.poll()
        #expect(observer.names == ["Namespace shop", "Pod shop/b"])
    }

    @Test func reportsEachOfManyObjectsOnce() throws {
        let items = (1...5000).map { #"{"metadata":{"name":"p\#($0)","namespace":"n\#($0 % 7)"}}"# }
        let path = try folder.write(
            #"{"kind":"PodList","apiVersion":"v1","items":[\#(items.joined(separator: ",\n"))]}"#,
            to: "a.json"
        )
        let source = source([path])
        try source.load()
        #expect(observer.names.count == 5000)
        #expect(observer.changes == 5002)
        #expect(source.statistics.objects == 5000)
        #expect(observer.faults.isEmpty)
    }
}
