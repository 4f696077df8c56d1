@testable import Minicluster
import Testing
