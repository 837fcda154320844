"""What the network service refuses, under the type names that Neutron's clients look for."""

from celaje.common import errors


class HTTPBadRequest(errors.Invalid):
    text = "Bad request: {reason}"


class InvalidInput(errors.Invalid):
    text = "Invalid input for operation: {reason}."


class NetworkNotFound(errors.NotFound):
    text = "Network {id} could not be found."


class SubnetNotFound(errors.NotFound):
    text = "Subnet {id} could not be found."


class PortNotFound(errors.NotFound):
    text = "Port {id} could not be found."


class RouterNotFound(errors.NotFound):
    text = "Router {id} could not be found"


class FloatingIPNotFound(errors.NotFound):
    text = "Floating IP {id} could not be found"


class SecurityGroupNotFound(errors.NotFound):
    text = "Security group {id} does not exist"


class SecurityGroupRuleNotFound(errors.NotFound):
    text = "Security group rule {id} does not exist"


class SubnetPoolNotFound(errors.NotFound):
    text = "Subnet pool {id} could not be found."


class AgentNotFound(errors.NotFound):
    text = "Agent {id} could not be found"


class ExtensionNotFound(errors.NotFound):
    text = "Extension with alias {alias} does not exist"


class TagNotFound(errors.NotFound):
    text = "Tag {tag} could not be found."


class NetworkInUse(errors.Conflict):
    text = "Unable to complete operation on network {id}. {reason}."


class SubnetInUse(errors.Conflict):
    text = "Unable to complete operation on subnet {id}: {reason}."


class PortInUse(errors.Conflict):
    text = (
        "Unable to complete operation on port {id} for network {network_id}. "
        "Port already has an attached device {device_id}."
    )


class ServicePortInUse(errors.Conflict):
    text = "Port {id} cannot be deleted directly via the port API: {reason}."


class SubnetPoolInUse(errors.Conflict):
    text = "Unable to complete operation on subnet pool {id}. {reason}."


class InvalidSharedSetting(errors.Conflict):
    text = "Unable to reconfigure sharing settings for network {network}. Multiple projects are using it."


class IpAddressGenerationFailure(errors.Conflict):
    text = "No more IP addresses available on network {network_id}."


class IpAddressInUse(errors.Conflict):
    text = "Unable to complete operation for network {network_id}. The IP address {ip_address} is in use."


class IpAddressAlreadyAllocated(errors.Conflict):
    text = "IP address {ip_address} already allocated in subnet {subnet_id}"


class InvalidIpForNetwork(errors.Invalid):
    text = "IP address {ip_address} is not a valid IP for any of the subnets on the specified network."


class InvalidIpForSubnet(errors.Invalid):
    text = "IP address {ip_address} is not a valid IP for the specified subnet."


class MacAddressInUse(errors.Conflict):
    text = "Unable to complete operation for network {network_id}. The mac address {mac} is in use."


class PortBound(errors.Conflict):
    text = (
        "Unable to complete operation on port {id}, port is already bound, port type: {vif_type}, "
        "old_mac {old_mac}, new_mac {new_mac}."
    )


class VlanIdInUse(errors.Conflict):
    text = (
        "Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use."
    )


class TunnelIdInUse(errors.Conflict):
    text = "Unable to create the network. The tunnel ID {tunnel_id} is in use."


class FlatNetworkInUse(errors.Conflict):
    text = "Unable to create the flat network. Physical network {physical_network} is in use."


class NoNetworkAvailable(errors.Conflict):
    text = "Unable to create the network. No project network is available for allocation."


class SubnetOverlap(errors.Invalid):
    text = (
        "Invalid input for operation: Requested subnet with cidr: {cidr} for network: {network_id} "
        "overlaps with another subnet."
    )


class InvalidAllocationPool(errors.Invalid):
    text = "The allocation pool {pool} is not valid."


class OutOfBoundsAllocationPool(errors.Invalid):
    text = "The allocation pool {pool} spans beyond the subnet cidr {cidr}."


class OverlappingAllocationPools(errors.Conflict):
    text = "Found overlapping allocation pools: {first} {second} for subnet {cidr}."


class GatewayConflictWithAllocationPools(errors.Conflict):
    text = "Gateway ip {ip_address} conflicts with allocation pool {pool}."


class GatewayIpInUse(errors.Conflict):
    text = "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update."


class DNSNameServersExhausted(errors.Invalid):
    text = (
        "Unable to complete operation for {subnet_id}. "
        "The number of DNS nameservers exceeds the limit {quota}."
    )


class HostRoutesExhausted(errors.Invalid):
    text = (
        "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}."
    )


class SubnetAllocationError(errors.Invalid):
    text = "Failed to allocate subnet: {reason}."


class RouterInUse(errors.Conflict):
    text = "Router {id} {reason}"


class RouterInterfaceNotFound(errors.NotFound):
    text = "Router {id} does not have an interface with id {port_id}"


class RouterInterfaceNotFoundForSubnet(errors.NotFound):
    text = "Router {id} has no interface on subnet {subnet_id}"


class RouterInterfaceInUseByFloatingIP(errors.Conflict):
    text = (
        "Router interface for subnet {subnet_id} on router {id} cannot be deleted, as it is required by one "
        "or more floating IPs."
    )


class RouterInterfaceInUseByRoute(errors.Conflict):
    text = (
        "Router interface for subnet {subnet_id} on router {id} cannot be deleted, as it is required by one "
        "or more routes."
    )


class RouterExternalGatewayInUseByFloatingIp(errors.Conflict):
    text = (
        "Gateway cannot be updated for router {id}, since a gateway to external network {network_id} is "
        "required by one or more floating IPs."
    )


class InvalidRoutes(errors.Invalid):
    text = "Invalid format for routes: {routes}, {reason}"


class ExternalGatewayForFloatingIPNotFound(errors.NotFound):
    text = (
        "External network {external_network_id} is not reachable from subnet {subnet_id}. Therefore, cannot "
        "associate Port {port_id} with a Floating IP."
    )


class FloatingIPPortAlreadyAssociated(errors.Conflict):
    text = (
        "Cannot associate floating IP {floating_ip_address} ({id}) with port {port_id} using fixed IP "
        "{fixed_ip}, as that fixed IP already has a floating IP on external network {network_id}."
    )


class ExternalIpAddressExhausted(errors.Conflict):
    text = "Unable to find any IP address on external network {network_id}."


class ExternalNetworkInUse(errors.Conflict):
    text = (
        "External network {id} cannot be updated to be made non-external, "
        "since it has existing gateway ports."
    )


class SecurityGroupInUse(errors.Conflict):
    text = "Security Group {id} {reason}."


class SecurityGroupCannotRemoveDefault(errors.Conflict):
    text = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(errors.Conflict):
    text = "Updating default security group not allowed."


class SecurityGroupDefaultAlreadyExists(errors.Conflict):
    text = "Default security group already exists."


class SecurityGroupRuleExists(errors.Conflict):
    text = "Security group rule already exists. Rule id is {id}."


class SecurityGroupRuleInvalid(errors.Invalid):
    """Ports, protocol, address and ethertype do not go together; the words say which."""


class PortSecurityAndIPRequiredForSecurityGroups(errors.Invalid):
    text = "Port security must be enabled and port must have an IP address in order to use security groups."


class PortSecurityPortHasSecurityGroup(errors.Conflict):
    text = (
        "Port has security group associated. Cannot disable port security or IP address "
        "until security group is removed."
    )


class AddressPairAndPortSecurityRequired(errors.Conflict):
    text = "Port Security must be enabled in order to have allowed address pairs on a port."


class AllocationRace(errors.Conflict):
    """Another transaction took what this one had chosen (an address, a MAC, a segment). The unit is run
    again and chooses anew; it reaches a client only when that failed many times."""

    text = "{what} was taken by a concurrent request too often. Try again."


class BindingOvertaken(errors.Conflict):
    """A later binding of the port exists: this one must not touch the host any more."""

    text = "Port {id}: binding {generation} was overtaken."


class NoRouterHost(errors.Unavailable):
    """No network worker that can route is up: the router waits until one is."""

    text = "No network worker with routing is up."
