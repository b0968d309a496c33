#include "replication/etcd/etcd_registers.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>

#include "replication/etcd/etcd_api.grpc.pb.h"
#include "storage/store.h"

namespace symbolon::replication::etcd {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::LeaseGrantRequest;
using etcdserverpb::LeaseGrantResponse;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;

constexpr int kMessageLimitBytes = 64 << 20;
constexpr int kReconnectMs = 100;
constexpr int kReconnectMaxMs = 1'000;
// etcd ends connections that ask more often than every 5 s whether it is there.
constexpr int kKeepAliveMs = 10'000;
constexpr int kSilenceMaxMs = 2'000;
constexpr std::int64_t kPage = 5'000;

// The first key after all that start with `prefix`, which ends with '/'.
Bytes EndOf(Bytes prefix) {
  ++prefix.back();
  return prefix;
}

RangeRequest RangeOf(const Bytes& prefix) {
  RangeRequest range;
  range.set_key(prefix);
  range.set_range_end(EndOf(prefix));
  return range;
}

Compare ModRevisionIs(Bytes key, std::int64_t revision) {
  Compare compare;
  compare.set_target(Compare::MOD);
  compare.set_key(std::move(key));
  compare.set_mod_revision(revision);
  return compare;
}

Compare ValueIs(Bytes key, Bytes value) {
  Compare compare;
  compare.set_target(Compare::VALUE);
  compare.set_key(std::move(key));
  compare.set_value(std::move(value));
  return compare;
}

Compare IsAbsent(Bytes key) {
  Compare compare;
  compare.set_target(Compare::VERSION);
  compare.set_key(std::move(key));
  compare.set_version(0);
  return compare;
}

// nullopt: no holder's key.
std::optional<Holder> HolderOf(std::string_view rest) {
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto incarnation = HexDecode(rest.substr(slash + 1));
  if (!incarnation) return std::nullopt;
  return Holder{Region(std::string(rest.substr(0, slash))), *std::move(incarnation)};
}

}  // namespace

class EtcdRegisters::Impl {
 public:
  explicit Impl(EtcdOptions options) : options_(std::move(options)) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options_.ca_pem;
    tls.pem_private_key = options_.key_pem;
    tls.pem_cert_chain = options_.certificate_pem;
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMessageLimitBytes);
    // gRPC's own retries end the process when a server that is going away leaves a status out (grpc/grpc issue 34683).
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
    // A connection that does not get through is given up (TCP_USER_TIMEOUT is set, too) and made anew. TCP itself keeps
    // it for a quarter of an hour, and tries it every two minutes in the end: when the network is back, the lease would
    // not be.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kSilenceMaxMs);
    for (const std::string& endpoint : options_.endpoints) {
      const auto channel = grpc::CreateCustomChannel(endpoint, grpc::SslCredentials(tls), arguments);
      members_.push_back({etcdserverpb::KV::NewStub(channel), etcdserverpb::Lease::NewStub(channel)});
    }
    SYMBOLON_CHECK(!members_.empty());
  }

  // Grants a lease, then binds the holder's key to it, wherever it was bound before.
  struct Holding {
    Bytes key;
    Bytes session;
    std::int64_t lease = 0;
    // Under the condition that the key has this revision, 0: is not there. And since when it has been there then.
    std::int64_t expected = 0;
    std::int64_t created = 0;
    bool same_session = true;
    bool again = false;
    RegisterCallback<Held> done;
  };

  void Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease, RegisterCallback<Held> done) {
    BuryTheDead();
    auto holding = std::make_shared<Holding>();
    holding->key = HolderKey(self);
    holding->session = session;
    holding->expected = bound_.revision;
    holding->created = bound_.created;
    holding->done = std::move(done);
    LeaseGrantRequest request;
    request.set_ttl(lease.count());
    Ask<LeaseGrantResponse>(
        std::move(request), [](Member& member, auto... arguments) { member.lease->async()->LeaseGrant(arguments...); },
        [this, holding, lease](RegisterResult<LeaseGrantResponse> granted) {
          if (!granted) return holding->done(Err(std::move(granted).error()));
          if (granted->ttl() < lease.count()) return holding->done(Err(RegisterError{"etcd grants no such lease"}));
          holding->lease = granted->id();
          Bind(holding);
        });
  }

  void Read(Revision since, RegisterCallback<RegisterNews> done) {
    BuryTheDead();
    TxnRequest request;
    *request.add_success()->mutable_request_range() = RangeOf(HoldersPrefix());
    RangeRequest pools = RangeOf(PoolsPrefix());
    pools.set_limit(kPage);
    if (since != 0) pools.set_min_mod_revision(static_cast<std::int64_t>(since) + 1);
    *request.add_success()->mutable_request_range() = pools;
    AskTxn(std::move(request),
           [this, pools = std::move(pools), done = std::move(done)](RegisterResult<TxnResponse> answer) mutable {
             if (!answer) return done(Err(std::move(answer).error()));
             if (answer->responses_size() != 2) return done(Err(RegisterError{"an answer that is none"}));
             RegisterNews news{.revision = static_cast<Revision>(answer->header().revision()),
                               .cluster = answer->header().cluster_id(),
                               .holders = {},
                               .changed = {}};
             for (const auto& pair : answer->responses(0).response_range().kvs()) {
               if (auto holder = HolderOf(std::string_view(pair.key()).substr(HoldersPrefix().size()))) {
                 news.holders.insert(*std::move(holder));
               }
             }
             TakePage(answer->responses(1).response_range(), std::move(pools), std::move(news), std::move(done));
           });
  }

  void Swap(RegisterSwap swap, RegisterCallback<std::optional<Revision>> done) {
    BuryTheDead();
    const Bytes key = PoolsPrefix() + swap.pool.value();
    TxnRequest request;
    *request.add_compare() = ModRevisionIs(key, static_cast<std::int64_t>(swap.expected));
    if (swap.expected != 0) *request.add_compare() = ValueIs(key, std::move(swap.expected_octets));
    *request.add_compare() = ValueIs(HolderKey(swap.self), swap.session);
    if (swap.gone) *request.add_compare() = IsAbsent(HolderKey(*swap.gone));
    auto& put = *request.add_success()->mutable_request_put();
    put.set_key(key);
    put.set_value(swap.value.SerializeAsString());
    AskTxn(std::move(request), [done = std::move(done)](RegisterResult<TxnResponse> answer) mutable {
      if (!answer) return done(Err(std::move(answer).error()));
      if (!answer->succeeded()) return done(std::optional<Revision>());
      done(std::optional(static_cast<Revision>(answer->header().revision())));
    });
  }

  void Stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [context, call] : calls_) context->TryCancel();
    ended_.wait(lock, [this] { return calls_.empty(); });
    lock.unlock();
    BuryTheDead();
  }

 private:
  // The holder's key, as it was when this object bound it last and was told so; 0: it was not. One Hold at a time.
  struct Bound {
    std::int64_t revision = 0;
    std::int64_t created = 0;
  };
  struct Member {
    std::unique_ptr<etcdserverpb::KV::Stub> kv;
    std::unique_ptr<etcdserverpb::Lease::Stub> lease;
  };

  void BuryTheDead() {
    std::vector<std::shared_ptr<void>> dead;
    const std::lock_guard lock(mutex_);
    dead.swap(dead_);
  }

  Bytes HoldersPrefix() const { return options_.key_prefix + "/holders/"; }
  Bytes PoolsPrefix() const { return options_.key_prefix + "/pools/"; }
  Bytes HolderKey(const Holder& holder) const {
    return HoldersPrefix() + holder.region.value() + "/" + HexEncode(holder.incarnation);
  }

  // A renewal that was given up may be carried out late: it names the revision that it followed, so that it cannot bind
  // the key back to an older lease.
  void Bind(const std::shared_ptr<Holding>& holding) {
    TxnRequest request;
    *request.add_compare() = ModRevisionIs(holding->key, holding->expected);
    auto& put = *request.add_success()->mutable_request_put();
    put.set_key(holding->key);
    put.set_value(holding->session);
    put.set_lease(holding->lease);
    request.add_failure()->mutable_request_range()->set_key(holding->key);
    AskTxn(std::move(request), [this, holding](RegisterResult<TxnResponse> answer) {
      if (!answer) return holding->done(Err(std::move(answer).error()));
      if (answer->succeeded()) {
        const Bound before = bound_;
        bound_.revision = answer->header().revision();
        bound_.created = holding->expected == 0 ? bound_.revision : holding->created;
        // Another process' session, or a gap that a renewal filled whose answer was lost: not what it was.
        return holding->done(Held{.all_the_time = holding->same_session && before.created == bound_.created,
                                  .revision = static_cast<Revision>(bound_.revision)});
      }
      if (std::exchange(holding->again, true) || answer->responses_size() != 1) {
        return holding->done(Err(RegisterError{"another renewal is under way"}));
      }
      const auto& found = answer->responses(0).response_range().kvs();
      holding->expected = found.empty() ? 0 : found[0].mod_revision();
      holding->created = found.empty() ? 0 : found[0].create_revision();
      // One that is older than this object made it is of a cluster that was set back.
      holding->same_session =
          !found.empty() && found[0].value() == holding->session && found[0].mod_revision() >= bound_.revision;
      Bind(holding);
    });
  }

  void TakePage(const RangeResponse& page, RangeRequest request, RegisterNews news,
                RegisterCallback<RegisterNews> done) {
    for (const auto& pair : page.kvs()) {
      std::string pool = pair.key().substr(PoolsPrefix().size());
      // No pool has such a name.
      if (pool.empty() || pool.size() > storage::kNameBytesMax) continue;
      RegisterNews::Entry entry{.pool = PoolId(std::move(pool)),
                                .revision = static_cast<Revision>(pair.mod_revision()),
                                .value = {},
                                .octets = pair.value()};
      // It concerns no other pool.
      entry.unreadable = !entry.value.ParseFromString(pair.value());
      if (entry.unreadable) entry.value.Clear();
      news.changed.push_back(std::move(entry));
    }
    if (!page.more() || page.kvs().empty()) return done(std::move(news));
    request.set_key(page.kvs().rbegin()->key() + '\0');
    request.set_revision(static_cast<std::int64_t>(news.revision));
    RangeRequest next = request;
    Ask<RangeResponse>(
        std::move(next), [](Member& member, auto... arguments) { member.kv->async()->Range(arguments...); },
        [this, request = std::move(request), news = std::move(news),
         done = std::move(done)](RegisterResult<RangeResponse> answer) mutable {
          if (!answer) return done(Err(std::move(answer).error()));
          TakePage(*answer, std::move(request), std::move(news), std::move(done));
        });
  }

  void AskTxn(TxnRequest request, RegisterCallback<TxnResponse> done) {
    Ask<TxnResponse>(
        std::move(request), [](Member& member, auto... arguments) { member.kv->async()->Txn(arguments...); },
        std::move(done));
  }

  template <class Response, class Request, class Start>
  void Ask(Request request, Start start, RegisterCallback<Response> done) {
    struct Call {
      grpc::ClientContext context;
      Request request;
      Response response;
      RegisterCallback<Response> done;
    };
    auto call = std::make_shared<Call>();
    call->context.set_deadline(std::chrono::system_clock::now() + options_.call_limit);
    call->request = std::move(request);
    call->done = std::move(done);
    const std::size_t asked = member_;
    {
      std::unique_lock lock(mutex_);
      if (stopping_) {
        lock.unlock();
        return call->done(Err(RegisterError{"stopping"}));
      }
      calls_.emplace(&call->context, call);
    }
    start(members_[asked], &call->context, &call->request, &call->response,
          [this, ended = call.get(), asked](const grpc::Status& status) {
            if (status.ok()) {
              ended->done(std::move(ended->response));
            } else {
              // The next one may be better off.
              std::size_t expected = asked;
              member_.compare_exchange_strong(expected, (asked + 1) % members_.size());
              ended->done(Err(RegisterError{"etcd at " + options_.endpoints[asked] + ": " + status.error_message()}));
            }
            // Nothing of this object is touched afterwards.
            const std::lock_guard lock(mutex_);
            dead_.push_back(std::move(calls_.extract(&ended->context).mapped()));
            if (calls_.empty()) ended_.notify_all();
          });
  }

  const EtcdOptions options_;
  std::vector<Member> members_;
  std::atomic<std::size_t> member_ = 0;
  Bound bound_;

  std::mutex mutex_;
  std::condition_variable ended_;
  // guarded by mutex_, as is what follows
  std::map<grpc::ClientContext*, std::shared_ptr<void>> calls_;
  // What gRPC gave back, to be destroyed elsewhere than on its threads: the last of its objects ends the library.
  std::vector<std::shared_ptr<void>> dead_;
  bool stopping_ = false;
};

EtcdRegisters::EtcdRegisters(EtcdOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
EtcdRegisters::~EtcdRegisters() { impl_->Stop(); }

void EtcdRegisters::Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease,
                         RegisterCallback<Held> done) {
  impl_->Hold(self, session, lease, std::move(done));
}
void EtcdRegisters::Read(Revision since, RegisterCallback<RegisterNews> done) { impl_->Read(since, std::move(done)); }
void EtcdRegisters::Swap(RegisterSwap swap, RegisterCallback<std::optional<Revision>> done) {
  impl_->Swap(std::move(swap), std::move(done));
}
void EtcdRegisters::Stop() { impl_->Stop(); }

}  // namespace symbolon::replication::etcd
